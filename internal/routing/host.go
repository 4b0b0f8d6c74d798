// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// maxLabel is the longest DNS label.
const maxLabel = 63

// Label returns the first label of a predictor's host, SERVICE-predictor or
// TAG-SERVICE-predictor, shortened if need be.
func Label(tag, service string) string {
	label := service + "-predictor"
	if tag != "" {
		label = tag + "-" + label
	}
	return shorten(label)
}

// shorten cuts a label too long for DNS and ends it in a hash of the whole, so
// that it stays unique and never changes.
func shorten(label string) string {
	if len(label) <= maxLabel {
		return label
	}
	sum := sha256.Sum256([]byte(label))
	hash := hex.EncodeToString(sum[:4])
	return strings.TrimRight(label[:maxLabel-1-len(hash)], "-") + "-" + hash
}

// hosts returns what the host names stand for, by namespace and first label.
// Where two services claim one name, the more direct claim wins: a service's
// own name, then its component's name, then a tag; among equals the first in
// alphabetical order.
func hosts(services []Service) map[string]map[string]entry {
	names := map[string]int{}
	for _, s := range services {
		names[s.Namespace] += 2 + len(s.Traffic)
	}
	out := make(map[string]map[string]entry, len(names))
	for namespace, n := range names {
		out[namespace] = make(map[string]entry, n) // growing it is a third of the work
	}
	claim := func(i int, label, tag string) {
		labels := out[services[i].Namespace]
		if _, taken := labels[label]; !taken {
			labels[label] = entry{route: i, tag: tag}
		}
	}
	for i, s := range services {
		claim(i, s.Name, "")
	}
	for i, s := range services {
		claim(i, Label("", s.Name), "")
	}
	for i, s := range services {
		for _, share := range s.Traffic {
			if share.Tag != "" {
				claim(i, Label(share.Tag, s.Name), share.Tag)
			}
		}
	}
	return out
}

// match finds what a Host header stands for. Upper case, a port, a final dot
// and the known suffixes do not matter.
func (t *Table) match(host string) (entry, bool) {
	label, namespace, ok := splitHost(host, t.domain)
	if !ok {
		return entry{}, false
	}
	return t.named(namespace, label)
}

// named finds what a name stands for in a namespace. Besides the names that
// services claim, two old spellings of the component are understood, a trailing
// hyphen and `-predictor-default`, and names that a client did not shorten.
func (t *Table) named(namespace, label string) (entry, bool) {
	labels := t.hosts[namespace]
	if e, ok := labels[shorten(label)]; ok {
		return e, true
	}
	for _, suffix := range [...]string{"-", "-default"} {
		if plain, ok := strings.CutSuffix(label, suffix); ok && strings.HasSuffix(plain, "-predictor") {
			e, ok := labels[shorten(plain)]
			return e, ok
		}
	}
	return entry{}, false
}

// splitHost takes LABEL.NAMESPACE out of a host.
func splitHost(host, domain string) (label, namespace string, ok bool) {
	if i := strings.LastIndexByte(host, ':'); i >= 0 {
		host = host[:i]
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	label, rest, ok := strings.Cut(host, ".")
	if !ok || label == "" {
		return "", "", false
	}
	namespace = rest
	for _, suffix := range [...]string{domain, "svc.cluster.local", "svc", "localhost"} {
		if head, found := strings.CutSuffix(rest, suffix); found && strings.HasSuffix(head, ".") {
			namespace = head[:len(head)-1]
			break
		}
	}
	return label, namespace, namespace != "" && !strings.Contains(namespace, ".")
}

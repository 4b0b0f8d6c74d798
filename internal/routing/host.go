// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// predictor is the only component.
const predictor = "predictor"

// maxLabel is the longest DNS label.
const maxLabel = 63

// Label returns the first label of a predictor's host, SERVICE-predictor or
// TAG-SERVICE-predictor, shortened if need be.
func Label(tag, service string) string {
	label := service + "-" + predictor
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

// match finds what a Host header stands for. Upper case, a port, a final dot
// and the known suffixes do not matter.
func (t *Table) match(host string) (entry, bool) {
	label, namespace, ok := splitHost(host, t.domain)
	if !ok {
		return entry{}, false
	}
	return t.hosts.find(namespace, label)
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
	for _, suffix := range [...]string{"", domain, "svc.cluster.local", "svc", "localhost"} {
		namespace, ok = rest, true
		if suffix != "" {
			namespace, ok = strings.CutSuffix(rest, "."+suffix)
		}
		if ok && namespace != "" && !strings.Contains(namespace, ".") {
			return label, namespace, true
		}
	}
	return label, "", false
}

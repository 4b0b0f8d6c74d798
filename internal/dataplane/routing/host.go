// SPDX-License-Identifier: Apache-2.0

package routing

import "strings"

// match returns the route and the tag that a Host header names, or nil. It ignores case,
// the port, a final dot and the known suffixes.
func (t *Table) match(host string, inside bool) (*route, string) {
	label, namespace, ok := splitHost(host, t.domain)
	if !ok {
		return nil, ""
	}
	return t.owner(namespace, label, inside)
}

// splitHost splits a host LABEL.NAMESPACE with any known suffix.
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
			if namespace, ok = strings.CutSuffix(rest, suffix); ok { // "."+suffix would copy it
				namespace, ok = strings.CutSuffix(namespace, ".")
			}
		}
		if ok && namespace != "" && !strings.Contains(namespace, ".") {
			return label, namespace, true
		}
	}
	return label, "", false
}

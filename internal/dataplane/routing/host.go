// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"strings"

	"github.com/serin-dev/serin/internal/hosts"
)

// match returns the owner of a Host header. It ignores case, the port, a final dot and
// the known suffixes.
func (t *Table) match(host string) (hosts.Owner, bool) {
	label, namespace, ok := splitHost(host, t.domain)
	if !ok {
		return hosts.Owner{}, false
	}
	return t.hosts.Find(namespace, label)
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
			namespace, ok = strings.CutSuffix(rest, "."+suffix)
		}
		if ok && namespace != "" && !strings.Contains(namespace, ".") {
			return label, namespace, true
		}
	}
	return label, "", false
}

// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"strings"
	"testing"
)

// The parts of a path put together again are the path, but for the slash that
// the rest begins with.
func FuzzPath(f *testing.F) {
	for _, path := range []string{
		"/serving/ns/name", "/serving/ns/name/", "/serving/ns/name?q=/a/b", "/serving/ns/name/a%2Fb//?x", "/serving/ns", "/serving//", "/serving/a/?b/c",
		"/serving/../name/", "*", "",
	} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		namespace, service, rest, ok := splitPath(path)
		if !ok {
			return
		}
		if namespace == "" || strings.Contains(namespace, "/") || service == "" || strings.ContainsAny(service, "/?") {
			t.Errorf("%q names %q/%q", path, namespace, service)
		}
		head := pathPrefix + namespace + "/" + service
		if !strings.HasPrefix(rest, "/") || (path != head+rest && path != head+rest[1:]) {
			t.Errorf("%q leaves %q for %s/%s", path, rest, namespace, service)
		}
	})
}

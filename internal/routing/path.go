// SPDX-License-Identifier: Apache-2.0

package routing

import "strings"

// pathPrefix begins a path that names its service: /serving/NAMESPACE/NAME/...
const pathPrefix = "/serving/"

// splitPath takes namespace and name out of a path, and returns what is left
// for the service: the rest as it was sent, query included, and at least "/".
func splitPath(path string) (namespace, service, rest string, ok bool) {
	tail, ok := strings.CutPrefix(path, pathPrefix)
	if !ok {
		return "", "", "", false
	}
	namespace, tail, _ = strings.Cut(tail, "/")
	end := strings.IndexAny(tail, "/?")
	if end < 0 {
		end = len(tail)
	}
	service, rest = tail[:end], tail[end:]
	if !strings.HasPrefix(rest, "/") {
		rest = "/" + rest
	}
	return namespace, service, rest, namespace != "" && service != ""
}

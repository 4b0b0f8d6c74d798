// SPDX-License-Identifier: Apache-2.0

package routing

import "strings"

// pathPrefix is the start of a path that names its service: /serving/NAMESPACE/NAME/...
const pathPrefix = "/serving/"

// versionOf returns V of the path /v2/models/NAME/versions/V/..., or nothing.
func versionOf(path string) string {
	rest, ok := strings.CutPrefix(path, "/v2/models/")
	if !ok {
		return ""
	}
	_, rest, _ = strings.Cut(rest, "/")
	version, ok := strings.CutPrefix(rest, "versions/")
	if !ok {
		return ""
	}
	if end := strings.IndexAny(version, "/?"); end >= 0 {
		version = version[:end]
	}
	return version
}

// splitPath splits a path into namespace, name and rest. The rest is the path for the
// service, with the query, and at least "/".
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

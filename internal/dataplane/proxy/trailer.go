// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"net/http"
	"net/textproto"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// trailerAllowed reports whether a field may be a trailer. Fields for framing,
// routing, authentication and origin must be in the head, where they were checked:
// RFC 9110, 6.5.1.
func trailerAllowed(name string) bool {
	name = textproto.CanonicalMIMEHeaderKey(name)
	if !httpguts.ValidTrailerHeader(name) || !httpguts.ValidHeaderFieldName(name) {
		return false
	}
	lower := strings.ToLower(name)
	if kindOf([]byte(lower)) != kindOther {
		return false
	}
	switch lower {
	case "cookie", "set-cookie", "forwarded", "location", "strict-transport-security", "x-real-ip":
		return false
	}
	for _, prefix := range [...]string{"x-forwarded-", "knative-", "serin-", "access-control-", "sec-"} {
		if strings.HasPrefix(lower, prefix) {
			return false
		}
	}
	return true
}

// cleanTrailer removes the fields that are not allowed in a trailer.
func cleanTrailer(t http.Header) {
	for name, values := range t {
		if !trailerAllowed(name) {
			delete(t, name)
			continue
		}
		for _, v := range values {
			if !isText([]byte(v)) {
				delete(t, name)
				break
			}
		}
	}
}

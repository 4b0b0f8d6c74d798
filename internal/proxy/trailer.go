// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"net/http"
	"net/textproto"
	"strings"

	"golang.org/x/net/http/httpguts"
)

// trailerAllowed reports whether a field may come after a body. What says how
// to read the message, where it goes, who asks or who answered must be in the
// head, where it was checked: RFC 9110, 6.5.1.
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

// cleanTrailer takes out of t what must not be in it.
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

// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	"fmt"
	"strings"
)

// Sticky names what requests have in common that are to be answered by the same
// revision. The zero value means nothing: the split alone decides.
//
// +kubebuilder:object:generate=false
type Sticky struct {
	Header string `json:"header,omitempty"` // a header's name
	Cookie string `json:"cookie,omitempty"` // or a cookie's
}

// ParseSticky reads "header:NAME" or "cookie:NAME". Its error says so.
func ParseSticky(s string) (Sticky, error) {
	kind, name, _ := strings.Cut(s, ":")
	switch {
	case !token(name):
	case kind == "header":
		return Sticky{Header: name}, nil
	case kind == "cookie":
		return Sticky{Cookie: name}, nil
	}
	return Sticky{}, fmt.Errorf(`%.64q names nothing to stick to: write "header:NAME" or "cookie:NAME", as in "header:X-User"`, s)
}

// maxToken bounds the name of what to stick to.
const maxToken = 256

// token reports whether HTTP allows s as the name of a header or a cookie.
func token(s string) bool {
	for _, c := range []byte(s) {
		if c <= ' ' || c > '~' || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return s != "" && len(s) <= maxToken
}

// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	"fmt"
	"testing"
)

func TestParseSticky(t *testing.T) {
	for text, want := range map[string]Sticky{
		"header:X-User":  {Header: "X-User"},
		"cookie:session": {Cookie: "session"},
	} {
		if got, err := ParseSticky(text); got != want || err != nil {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "X-User", "header:", "header: X-User", "cookie:a=b", "Header:X-User", "query:user", "header:a:b", "cookie:ü"} {
		_, err := ParseSticky(text)
		want := fmt.Sprintf(`%q names nothing to stick to: write "header:NAME" or "cookie:NAME", as in "header:X-User"`, text)
		if err == nil || err.Error() != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}

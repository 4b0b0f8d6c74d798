// SPDX-License-Identifier: Apache-2.0

package sklearn

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/testkit/corpus"
)

// The newest version of the corpus is served without a word, and the next one with a
// remark.
func TestFilesOfNewerVersionsGetARemark(t *testing.T) {
	cases := corpus.Cases(t, "mlp")
	for _, c := range cases {
		m, err := parse(c.Data, budget.DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string(nil), m.Remarks()); diff != "" {
			t.Fatalf("%s of %s (-want +got):\n%s", c.Path(), c.Version, diff)
		}
	}
	c := cases[len(cases)-1]
	for _, later := range []string{"1.10.0", "1.10.dev0", "2.0.1"} {
		m, err := parse(renamed(c.Data, c.Version, later), budget.DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"the file was saved by scikit-learn " + later + ", and Serin was compared with versions up to 1.9: it answers as that one does"}
		if diff := cmp.Diff(want, m.Remarks()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", later, diff)
		}
	}
}

// renamed returns a pickle with another short string.
func renamed(data []byte, from, to string) []byte {
	text := func(s string) []byte { return append([]byte{0x8c, byte(len(s))}, s...) }
	return bytes.ReplaceAll(data, text(from), text(to))
}

// SPDX-License-Identifier: Apache-2.0

package format

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/model/budget"
)

func TestPanicOfTheReaderBecomesAnErrorOfOneSentence(t *testing.T) {
	limits := budget.DefaultLimits
	limits.Stop = func() error { panic("index out of range [7] with length 3") }
	file := "\x80\x02."
	_, err := Load("model.pkl", strings.NewReader(file), int64(len(file)), limits)
	want := "this file makes Serin's reader fail, which is a bug: please report it and attach the file (index out of range [7] with length 3)"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestSuffixesAreOfOneFormatEach(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range Suffixes() {
		if seen[s] || !strings.HasPrefix(s, ".") || Rank("model"+s) == 0 {
			t.Errorf("suffix %q", s)
		}
		seen[s] = true
	}
	if diff := cmp.Diff([]int{0, 0, 1, 2, 3}, []int{Rank("model.exe"), Rank("joblib"), Rank("a.txt"), Rank("a.json"), Rank("a.pkl")}); diff != "" {
		t.Error(diff)
	}
}

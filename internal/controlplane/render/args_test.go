// SPDX-License-Identifier: Apache-2.0

package render

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestUsersFlagsReplaceTheRuntimes(t *testing.T) {
	for _, c := range []struct{ name, runtime, user, want string }{
		{"none of the user's", "--a=1 b", "", "--a=1 b"},
		{"none of the runtime's", "", "--a=1 b", "--a=1 b"},
		{"another flag", "--a=1", "--b=2", "--a=1 --b=2"},
		{"the same flag, in its place", "x --a=1 --b=2", "--a=3 --c", "x --a=3 --b=2 --c"},
		{"apart for joined", "--a=1 --b=2", "--a 3", "--a 3 --b=2"},
		{"joined for apart", "--a 1 --b=2", "--a=3", "--a=3 --b=2"},
		{"a negative number is a value", "--a -1 --b=2", "--a -3", "--a -3 --b=2"},
		{"no value", "--a --b=2", "--a", "--a --b=2"},
		{"no value, before a word", "--a x", "--a", "--a x"},
		{"a list of the user's", "--a=1 --b=2", "--a=3 --c --a=4", "--a=3 --a=4 --b=2 --c"},
		{"a list of the runtime's", "--a=1 --a=2", "--a=3", "--a=1 --a=2 --a=3"},
		{"several values of the user's", "--a=1 --b=2", "--a 3 4 --c", "--a=1 --b=2 --a 3 4 --c"},
		{"several values of the runtime's", "--a 1 2 --b=2", "--a 3", "--a 1 2 --b=2 --a 3"},
		{"a switch of the runtime's before words", "--a serve x", "--a=false", "--a serve x --a=false"},
		{"words", "serve --a=1", "x --a=2 y", "serve --a=2 x y"},
		{"a shell's words", "-c run", "-c other", "-c run -c other"},
		{"after --", "--a=1 -- --b=2", "--b=3 -- --a=4", "--a=1 -- --b=2 --b=3 -- --a=4"},
		{"a longer name", "--model_name=x", "--model_name_full=y --model=z", "--model_name=x --model_name_full=y --model=z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := mergedArgs(strings.Fields(c.runtime), strings.Fields(c.user))
			if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// A server whose last flag counts, as KServe's do, reads the same from merged arguments
// as from appended ones.
func FuzzMergedArgs(f *testing.F) {
	f.Add("--a=1 b --c d", "--c=2 --a 3")
	f.Add("--a=1 --a=2 -- --b", "--a=3 --b x --b y")
	f.Add("--a --b", "--a")
	f.Fuzz(func(t *testing.T, runtime, user string) {
		base, mine := strings.Fields(runtime), strings.Fields(user)
		merged := mergedArgs(base, mine)
		if len(base)+len(mine) > 100 || slices.Contains(base, "--") || slices.Contains(mine, "--") {
			t.Skip() // the checks below are slow, or do not hold
		}
		for _, arg := range mine {
			flag, _, _ := strings.Cut(arg, "=")
			if !strings.HasPrefix(flag, "--") {
				continue
			}
			got, found := lookup(merged, flag)
			want, asked := lookup(mine, flag)
			if asked && (!found || got != want) && want != "" {
				t.Errorf("%q and %q: %s is %q in %q, want %q", base, mine, flag, got, merged, want)
			}
		}
		for flag, times := range counts(base) {
			if _, asked := lookup(mine, flag); !asked && flag != "" && counts(merged)[flag] != times {
				t.Errorf("%q and %q: %s is lost in %q", base, mine, flag, merged)
			}
		}
	})
}

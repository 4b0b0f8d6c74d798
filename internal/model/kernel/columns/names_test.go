// SPDX-License-Identifier: Apache-2.0

package columns

import (
	"testing"

	"github.com/serin-dev/serin/internal/model/pickle"
)

func TestNamesOfColumnsAreFound(t *testing.T) {
	itself := &pickle.List{}
	itself.Items = []any{itself}
	index := &pickle.Object{Class: &pickle.Global{Module: "pandas", Name: "Index"}}
	slice := func(from any) any {
		return &pickle.Object{Class: &pickle.Global{Module: "builtins", Name: "slice"}, Args: pickle.Tuple{from, "b", pickle.None{}}}
	}
	remainder := &pickle.Object{Class: &pickle.Global{Name: "_RemainderColsList"}}
	remainder.State.Entries = map[string]any{"data": &pickle.List{Items: []any{"a"}}}
	around := &pickle.Object{Class: &pickle.Global{Name: "_RemainderColsList"}}
	around.State.Entries = map[string]any{"data": around}
	for name, c := range map[string]struct {
		columns any
		want    bool
	}{
		"a name":                   {"a", true},
		"a list":                   {&pickle.List{Items: []any{"a"}}, true},
		"a list of numbers":        {&pickle.List{Items: []any{int64(1)}}, false},
		"an empty tuple":           {pickle.Tuple{}, false},
		"an index":                 {index, true},
		"a slice":                  {slice("a"), true},
		"a slice without a start":  {slice(pickle.None{}), true},
		"a remainder":              {remainder, true},
		"a list in itself":         {itself, false},
		"a remainder of itself":    {around, true},
		"an array of no kind":      {&pickle.Array{}, false},
		"an array of Python's str": {&pickle.Array{Objects: []any{"a"}}, true},
	} {
		if got := byName(c.columns); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

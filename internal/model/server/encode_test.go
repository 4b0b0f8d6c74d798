// SPDX-License-Identifier: Apache-2.0

package server

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/model/frame"
)

func TestFloatsReadBackAsTheyWere(t *testing.T) {
	for f, want := range map[float64]string{
		0: "0.0", 1: "1.0", -2.5: "-2.5", 0.1: "0.1", 1e-5: "0.00001", 1e-7: "1e-07", 1e15: "1000000000000000.0", 1e16: "1e+16",
		math.Inf(1): "null", 1.0 / 3: "0.3333333333333333",
	} {
		if got := string(appendFloat(nil, f)); got != want {
			t.Errorf("%v is written as %s, want %s", f, got, want)
		}
	}
}

func TestLabelsAreJSON(t *testing.T) {
	out := frame.Output{Width: 1, Flat: true, Classes: [][]any{{int64(-5), 1.0, true, "a \"é\" <b>\n", uint64(math.MaxUint64)}}}
	labels, err := encodeLabels(out)
	if err != nil {
		t.Fatal(err)
	}
	got := string(appendResult(nil, &frame.Result{Output: out, Values: []float64{3, 0, 1, 2, 4}}, labels))
	if diff := cmp.Diff(`["a \"é\" <b>\n",-5,1.0,true,18446744073709551615]`, got); diff != "" {
		t.Error(diff)
	}
}

func TestResultsHaveTheShapeOfNumpysLists(t *testing.T) {
	values := []float64{1, 0, 2.5, 4}
	for name, test := range map[string]struct {
		out  frame.Output
		want string
	}{
		"a number for each row":     {frame.Output{Width: 1, Flat: true}, "[1.0,0.0,2.5,4.0]"},
		"a list of one number":      {frame.Output{Width: 1}, "[[1.0],[0.0],[2.5],[4.0]]"},
		"a list of two":             {frame.Output{Width: 2}, "[[1.0,0.0],[2.5,4.0]]"},
		"integers":                  {frame.Output{Width: 1, Flat: true, Type: frame.Int32}, "[1,0,2,4]"},
		"bools":                     {frame.Output{Width: 1, Flat: true, Type: frame.Bool}, "[true,false,true,true]"},
		"the labels of two outputs": {frame.Output{Width: 2, Classes: [][]any{{"a", "b", "c"}, {int64(1), int64(2), int64(3), int64(4), int64(5)}}}, `[["b",1],["c",5]]`},
		"two parts":                 {frame.Output{Width: 4, Parts: []int{1, 3}}, "[[[1.0]],[[0.0,2.5,4.0]]]"},
	} {
		labels, err := encodeLabels(test.out)
		if err != nil {
			t.Fatal(err)
		}
		got := string(appendResult(nil, &frame.Result{Output: test.out, Rows: len(values) / test.out.Width, Values: values}, labels))
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

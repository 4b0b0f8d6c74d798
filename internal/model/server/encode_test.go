// SPDX-License-Identifier: Apache-2.0

package server

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
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
	labels, err := encodeLabels([]any{int64(-5), 1.0, true, "a \"é\" <b>\n"})
	if err != nil {
		t.Fatal(err)
	}
	got := string(appendPredictions(nil, []int{3, 0, 1, 2, 0}, labels))
	if diff := cmp.Diff(`{"predictions":["a \"é\" <b>\n",-5,1.0,true,-5]}`, got); diff != "" {
		t.Error(diff)
	}
}

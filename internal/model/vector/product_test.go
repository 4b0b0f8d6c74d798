// SPDX-License-Identifier: Apache-2.0

package vector

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProductsAreThoseOfDot(t *testing.T) {
	for rows := range 10 {
		for outputs := range 10 {
			const cols = 5
			m, x := Matrix{outputs, cols, numbers(outputs * cols)}, numbers(rows*cols)
			add, got := numbers(outputs), make([]float64, rows*outputs)
			want := make([]float64, len(got))
			for i := range want {
				row := x[i/outputs*cols:][:cols]
				want[i] = Dot(row, m.Row(i%outputs)) + add[i%outputs]
			}
			Product(got, x, m, add)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%d rows, %d outputs (-want +got):\n%s", rows, outputs, diff)
			}
		}
	}
}

func TestArgmaxIsNumpys(t *testing.T) {
	nan := math.NaN()
	for want, values := range [][]float64{{2, 2, 1}, {1, 3, 3}, {1, 3, nan, nan}} {
		if got := Argmax(values); got != want {
			t.Errorf("%v: %d, want %d", values, got, want)
		}
	}
}

// numbers are such that the order of additions matters.
func numbers(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = 1/float64(i+3) - 0.1*float64(i%7)
	}
	return out
}

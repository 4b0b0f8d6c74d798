// SPDX-License-Identifier: Apache-2.0

package vector

import (
	"math"
	"slices"
	"testing"
)

func TestProductsAreThoseOfDot(t *testing.T) {
	for rows := range 10 {
		for outputs := range 10 {
			for _, cols := range []int{0, 1, 5, 8, 9, 11, 16, 17, 40, 103} {
				m, x := Matrix{outputs, cols, numbers(outputs * cols)}, numbers(rows*cols)
				add, got := numbers(outputs), make([]float64, rows*outputs)
				Product(got, x, &m, add)
				for i := range got {
					row, other := x[i/outputs*cols:][:cols], m.Row(i%outputs)
					if want := Dot(row, other) + add[i%outputs]; math.Abs(got[i]-want) > 1e-14*float64(1+cols) {
						t.Errorf("%d rows, %d outputs, %d columns: %v, want %v", rows, outputs, cols, got[i], want)
					}
					alone := make([]float64, 1)
					Product(alone, row, &Matrix{1, cols, other}, add[i%outputs:])
					if alone[0] != got[i] {
						t.Errorf("%d rows, %d outputs, %d columns: %v, but %v alone", rows, outputs, cols, got[i], alone[0])
					}
				}
			}
		}
	}
}

func TestProductsOfInfinitiesAreThoseOfDot(t *testing.T) {
	for at := range 19 {
		x, m := numbers(19), Matrix{1, 19, make([]float64, 19)}
		x[at], m.Data[(at+1)%19] = math.Inf(1), 1
		got := make([]float64, 1)
		Product(got, x, &m, []float64{0})
		if !math.IsNaN(got[0]) {
			t.Errorf("infinity * 0 at %d: %v", at, got[0])
		}
	}
}

func TestWithin(t *testing.T) {
	const limit = math.MaxFloat32
	for n := range 50 {
		values := make([]float64, n)
		for i := range values {
			for v, want := range map[float64]bool{limit: true, -limit: true, -math.Inf(1): false, 1e300: false, 1.0000001 * limit: false} {
				values[i] = v
				if Within(values, limit) != want {
					t.Errorf("%v at %d of %d is within %v: %t", v, i, n, limit, !want)
				}
			}
			if values[i] = math.NaN(); Within(values, math.MaxFloat64) {
				t.Errorf("NaN at %d of %d is a number", i, n)
			}
			values[i] = -limit
		}
		if !Within(values, math.MaxFloat64) {
			t.Errorf("%d numbers are none", n)
		}
	}
}

func TestSinglesAreRoundedAsGoDoes(t *testing.T) {
	values := []float64{1, -0.1, 1e-40, 1e-50, 1e300, math.Inf(-1), 16777217, 16777219, math.Nextafter(2, 3)}
	for n := range 40 {
		var x []float64
		for i := range n {
			x = append(x, values[i%len(values)])
		}
		got := make([]float32, n+1)
		Singles(got, x)
		for i, v := range x {
			if got[i] != float32(v) {
				t.Errorf("%v at %d of %d becomes %v", v, i, n, got[i])
			}
		}
		if got[n] != 0 {
			t.Errorf("%d values are written beyond their end", n)
		}
	}
	got := make([]float32, 9)
	Singles(got, slices.Repeat([]float64{math.NaN()}, 9))
	for i, v := range got {
		if v == v {
			t.Errorf("NaN at %d becomes %v", i, v)
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

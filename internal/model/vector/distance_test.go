// SPDX-License-Identifier: Apache-2.0

package vector

import (
	"math"
	"testing"
)

func TestDistancesAreThoseOfPairs(t *testing.T) {
	for rows := range 10 {
		for others := range 10 {
			for _, cols := range []int{0, 1, 5, 8, 9, 11, 16, 17, 40, 103} {
				m, x := Matrix{others, cols, numbers(others * cols)}, numbers(rows*cols)
				got := make([]float64, rows*others)
				Distances(got, x, &m)
				for i := range got {
					row, other := x[i/others*cols:][:cols], m.Row(i%others)
					if want := SquaredDistance(row, other); math.Abs(got[i]-want) > 1e-14*want {
						t.Errorf("%d rows, %d others, %d columns: %v, want %v", rows, others, cols, got[i], want)
					}
					alone := make([]float64, 1)
					Distances(alone, row, &Matrix{1, cols, other})
					if alone[0] != got[i] {
						t.Errorf("%d rows, %d others, %d columns: %v, but %v alone", rows, others, cols, got[i], alone[0])
					}
				}
			}
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package vector

import (
	"math"
	"math/rand/v2"
	"testing"
)

// Rows that are computed together must sum as those that are alone.
func TestRowsAreSummedInOrder(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 500 {
		m := Matrix{Rows: r.IntN(11), Cols: 1 + r.IntN(9)}
		m.Data = make([]float64, m.Rows*m.Cols)
		x, dots, distances := make([]float64, m.Cols), make([]float64, m.Rows), make([]float64, m.Rows)
		for _, s := range [][]float64{m.Data, x} {
			for i := range s {
				s[i] = r.NormFloat64() * math.Exp(20*r.NormFloat64())
			}
		}
		Dots(dots, x, &m)
		SquaredDistances(distances, x, &m)
		for i := range m.Rows {
			if dots[i] != Dot(x, m.Row(i)) || distances[i] != SquaredDistance(x, m.Row(i)) {
				t.Fatalf("row %d of %d x %d: %v and %v, alone %v and %v", i, m.Rows, m.Cols, dots[i], distances[i], Dot(x, m.Row(i)), SquaredDistance(x, m.Row(i)))
			}
		}
	}
}

func TestProbabilitiesSumToOne(t *testing.T) {
	for _, scores := range [][]float64{{1000, 999, -1000}, {-1e308, 1e308}, {0}} {
		Softmax(scores)
		sum := 0.0
		for _, p := range scores {
			sum += p
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Errorf("%v sum to %v", scores, sum)
		}
	}
	if p := Sigmoid(-1000) + Sigmoid(1000); p != 1 {
		t.Errorf("sigmoids of opposites sum to %v", p)
	}
}

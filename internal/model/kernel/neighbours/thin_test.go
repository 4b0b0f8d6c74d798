// SPDX-License-Identifier: Apache-2.0

package neighbours

import (
	"math"
	"testing"

	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/vector"
)

func TestSparsePointsAreAsFarAsDenseOnes(t *testing.T) {
	points := frame.Frame{Rows: 3, Cols: 4, Starts: []int{0, 2, 2, 5}, Index: []int32{3, 0, 0, 1, 3}, Data: []float64{-2, 1.5, 0.25, 3, 4}}
	dense := [][]float64{{1.5, 0, 0, -2}, {0, 0, 0, 0}, {0.25, 3, 0, 4}}
	rows := frame.Frame{Rows: 2, Cols: 4, Starts: []int{0, 3, 3}, Index: []int32{0, 1, 2}, Data: []float64{1.5, -1, 7}}
	same := frame.Dense(2, 4, []float64{1.5, -1, 7, 0, 0, 0, 0, 0})
	for _, m := range []metric{
		{name: "euclidean", reduced: vector.SquaredDistance, order: 2},
		{name: "manhattan", reduced: cityblock, order: 1},
		{name: "cosine", reduced: cosine},
	} {
		thin := newThin(points, &m)
		for i := range points.Rows {
			_, values := points.Entries(i)
			thin.sizes = append(thin.sizes, thin.sizeOf(values))
		}
		for name, x := range map[string]frame.Frame{"sparse": rows, "dense": same} {
			got := make([]float64, 8)
			thin.measure(&graph.Work{}, got, 4, x)
			for i := range x.Rows {
				for p, y := range dense {
					if want := m.reduced(same.Row(i), y); math.Abs(got[i*4+p]-want) > 1e-13 {
						t.Errorf("%s, %s row %d, point %d: %v, want %v", m.name, name, i, p, got[i*4+p], want)
					}
				}
			}
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package vector

import (
	"math"
	"slices"
	"testing"

	"github.com/serin-dev/serin/internal/testkit/hostile"
)

func TestLanesAddInOrder(t *testing.T) {
	for rows := range 10 {
		for _, others := range []int{0, 1, 7, 8, 9, 16, 25} {
			for _, cols := range []int{0, 1, 5, 16, 40} {
				m, x := Matrix{others, cols, numbers(others * cols)}, numbers(rows*cols)
				l := NewLanes(&Matrix{others, cols, slices.Clone(m.Data)}, -2)
				got := make([]float64, rows*l.Stride())
				blocks := make([]float64, len(got))
				l.Products(got, x)
				l.Blocks(blocks, x)
				for i := range rows {
					for j := range others {
						want, block := 0.0, 0.0
						for k, v := range x[i*cols : (i+1)*cols] {
							want = math.FMA(v, -2*m.Row(j)[k], want)
							block += math.Abs(v + 2*m.Row(j)[k])
						}
						if at := i*l.Stride() + j; got[at] != want || blocks[at] != block {
							t.Errorf("%d rows, %d others, %d columns: %v and %v, want %v and %v", rows, others, cols, got[at], blocks[at], want, block)
						}
					}
				}
			}
		}
	}
}

func TestLanesLieInTheMemoryOfTheirMatrix(t *testing.T) {
	const rows, cols = 1<<16 + 3, 16
	m := Matrix{rows, cols, make([]float64, rows*cols)}
	hostile.Frugal(t, 1<<20, func() { NewLanes(&m, 1) })
	if m.Data != nil {
		t.Error("the matrix still has rows")
	}
}

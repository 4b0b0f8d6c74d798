// SPDX-License-Identifier: Apache-2.0

package neighbours

import (
	"math"
	"slices"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
)

// thin is sparse points, such as texts, which would be a thousandfold larger if they
// were dense. Their distances are loose, so they need not round as scikit-learn's.
type thin struct {
	frame.Frame
	// sizes has the sum of a function of the values of each point.
	sizes []float64
	size  func(v float64) float64
	both  func(x, y float64) float64 // summed up for the columns that two rows have
	far   func(x, y, both float64) float64
}

// newThin returns sparse points, or nil if their metric needs dense ones.
func newThin(x frame.Frame, m *metric) *thin {
	square, product := func(v float64) float64 { return v * v }, func(x, y float64) float64 { return x * y }
	t := &thin{Frame: x, size: square, both: product}
	switch {
	case m.name == "euclidean" || m.name == "l2":
		t.far = func(x, y, both float64) float64 { return max(x+y-2*both, 0) }
	case m.name == "cosine":
		t.far = func(x, y, both float64) float64 {
			if both == 0 { // also of a row that has no length
				return 1
			}
			return max(1-both/math.Sqrt(x)/math.Sqrt(y), 0)
		}
	case m.order == 1:
		t.size, t.both = math.Abs, func(x, y float64) float64 { return math.Abs(x-y) - math.Abs(x) - math.Abs(y) }
		t.far = func(x, y, both float64) float64 { return max(x+y+both, 0) }
	default:
		return nil
	}
	return t
}

// fill reports whether no row has a column twice, of which the values would be added.
func (t *thin) fill(e *fitted.Estimator, m *metric) bool {
	if !e.Alloc(8*(t.Rows+t.Cols)) || !e.Work(2*len(t.Data)) {
		return true
	}
	seen := make([]int, t.Cols) // the last row that has a column, from 1 on
	for i := range t.Rows {
		columns, values := t.Entries(i)
		for _, c := range columns {
			if seen[c] == i+1 {
				return false
			}
			seen[c] = i + 1
		}
		// From 1.2 on, scikit-learn takes the columns for sorted. Those of TfidfVectorizer are not.
		e.Require(m.order != 1 || slices.IsSorted(columns), "metric manhattan is not supported for sparse rows like these: scikit-learn itself mixes up their columns")
		t.sizes = append(t.sizes, t.sizeOf(values))
	}
	return true
}

func (t *thin) sizeOf(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += t.size(v)
	}
	return sum
}

// measure fills dst with the reduced distances of rows to all points.
func (t *thin) measure(w *graph.Work, dst []float64, stride int, x frame.Frame) {
	if !x.Sparse() {
		for i := range x.Rows {
			t.row(dst[i*stride:], x.Row(i), t.sizeOf(x.Row(i)))
		}
		return
	}
	mark := w.Mark()
	row := w.Floats(x.Cols)
	clear(row)
	for i := range x.Rows {
		columns, values := x.Entries(i)
		for k, c := range columns {
			row[c] = values[k]
		}
		t.row(dst[i*stride:], row, t.sizeOf(values))
		for _, c := range columns {
			row[c] = 0
		}
	}
	w.Release(mark)
}

// row fills dst with those of one row.
func (t *thin) row(dst, row []float64, of float64) {
	for p, size := range t.sizes {
		both := 0.0
		columns, values := t.Entries(p)
		for k, c := range columns {
			if v := row[c]; v != 0 {
				both += t.both(v, values[k])
			}
		}
		dst[p] = t.far(of, size, both)
	}
}

// steps is the work to measure one row.
func (t *thin) steps() int { return 2 * (len(t.Data) + t.Rows + t.Cols) }

// longest is the largest size of a point.
func (t *thin) longest() float64 { return slices.Max(t.sizes) }

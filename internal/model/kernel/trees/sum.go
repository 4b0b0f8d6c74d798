// SPDX-License-Identifier: Apache-2.0

package trees

import (
	"math"
	"slices"

	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/vector"
)

// sum adds up trees.
type sum[T number] struct {
	trees   []*tree[T]
	width   int  // of a row's values
	sorting bool // a tree has categories
}

// add adds the leaves of all trees to the values of each row. Each row's sum is in the
// order of the trees. Holes reports whether a value may be NaN.
func (s *sum[T]) add(w *graph.Work, dst []float64, x []T, cols int, holes bool) error {
	const few = 8 // rows, fewer than a core can follow at once
	if len(x) < few*cols && !holes && !s.sorting {
		return s.byRow(w, dst, x, cols)
	}
	return s.byTree(w, dst, x, cols, holes)
}

func (s *sum[T]) byTree(w *graph.Work, dst []float64, x []T, cols int, holes bool) error {
	found := w.Indexes(len(x) / cols)
	for _, t := range s.trees {
		t.walk(found, x, cols, holes)
		t.addAll(dst, s.width, found)
		if err := w.Steps(len(found) * (t.width + t.depth)); err != nil {
			return err
		}
	}
	return nil
}

func (s *sum[T]) byRow(w *graph.Work, dst []float64, x []T, cols int) error {
	const chunk = 16
	found := w.Indexes(chunk)
	for trees := range slices.Chunk(s.trees, chunk) {
		steps := 0
		for i := range len(x) / cols {
			walkAll(found, trees, x[i*cols:(i+1)*cols])
			for k, t := range trees {
				t.add(dst[i*s.width:(i+1)*s.width], found[k])
				steps += t.width + t.depth
			}
		}
		if err := w.Steps(steps); err != nil {
			return err
		}
	}
	return nil
}

// addAll adds the values of the leaves to those of their rows.
func (t *tree[T]) addAll(dst []float64, width int, found []int32) {
	if t.width == 1 {
		to := t.column
		for _, at := range found {
			dst[to] += t.values[at]
			to += width
		}
		return
	}
	for i, at := range found {
		t.add(dst[i*width:(i+1)*width], at)
	}
}

// add adds the values of a leaf to those of a row.
func (t *tree[T]) add(row []float64, at int32) {
	if t.width == 1 {
		row[t.column] += t.values[at]
		return
	}
	row = row[t.column:]
	for i, v := range t.values[at : int(at)+t.width] {
		row[i] += v
	}
}

// holed reports whether a value of a block is NaN.
func holed(x frame.Frame) bool { return !vector.Within(x.Data, math.Inf(1)) }

// singles rounds a block to float32.
func singles(w *graph.Work, x frame.Frame) []float32 {
	out := w.Singles(len(x.Data))
	vector.Singles(out, x.Data)
	return out
}

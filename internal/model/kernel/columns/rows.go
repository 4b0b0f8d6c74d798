// SPDX-License-Identifier: Apache-2.0

package columns

import (
	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// normalizer is Normalizer: it divides each row by its norm.
type normalizer struct {
	input graph.Input
	norm  func(row []float64) float64
	least float64 // norm of a dense row, below which it is left as it is
}

func newNormalizer(e *fitted.Estimator) graph.Node {
	name := e.Text("l2", "norm")
	n := &normalizer{norm: vector.Norm(name)}
	if n.norm == nil {
		e.Failf("norm %s is not supported", pickle.Quote(name))
	}
	if e.Version() >= 100 {
		n.least = 10 * epsilon
	}
	n.input = e.Input(width(e))
	n.input.Sparse = true
	return n
}

// epsilon is the distance from 1 to the next number.
const epsilon = 0x1p-52

func (n *normalizer) Input() *graph.Input { return &n.input }

func (n *normalizer) Width() int { return n.input.Width }

// Thin reports that zeros stay zeros.
func (n *normalizer) Thin() bool { return true }

func (n *normalizer) Transform(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	if x.Sparse() {
		out := thin(w, x)
		for i := range out.Rows {
			_, values := out.Entries(i)
			vector.Divide(values, n.norm(values))
		}
		return out, nil
	}
	out := w.Dense(x.Rows, x.Cols)
	for i := range x.Rows {
		row := out.Row(i)
		copy(row, x.Row(i))
		if norm := n.norm(row); norm >= n.least {
			vector.Divide(row, norm)
		}
	}
	return out, nil
}

// binarizer is Binarizer.
type binarizer struct {
	input     graph.Input
	threshold float64
}

func newBinarizer(e *fitted.Estimator) graph.Node {
	b := &binarizer{input: e.Input(width(e)), threshold: e.Number("threshold")}
	b.input.Sparse = b.threshold >= 0
	return b
}

func (b *binarizer) Input() *graph.Input { return &b.input }

func (b *binarizer) Width() int { return b.input.Width }

// Thin reports whether zeros stay zeros.
func (b *binarizer) Thin() bool { return b.input.Sparse }

func (b *binarizer) Transform(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	var out frame.Frame
	if x.Sparse() {
		out = thin(w, x)
	} else {
		out = w.Dense(x.Rows, x.Cols)
		copy(out.Data, x.Data)
	}
	for i, v := range out.Data {
		out.Data[i] = 0
		if v > b.threshold {
			out.Data[i] = 1
		}
	}
	return out, nil
}

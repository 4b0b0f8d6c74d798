// SPDX-License-Identifier: Apache-2.0

package linear

import (
	"slices"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// weights make one number or several of each row.
type weights struct {
	input     graph.Input
	coef      vector.Matrix
	intercept []float64 // one for each row of coef
}

func (l *weights) Input() *graph.Input { return &l.input }

// newWeights reads coef_ and intercept_, and reports whether they make one number,
// and not a list of one.
func newWeights(e *fitted.Estimator) (weights, bool) {
	coef, flat := coefficients(e, "coef_")
	l := weights{input: e.Input(coef.Cols), coef: coef, intercept: intercepts(e, coef.Rows, "intercept_")}
	l.input.Sparse = true
	e.Wide(coef.Rows)
	return l, flat
}

// coefficients reads an array that may have one dimension, which it reports. A sparse
// one, which sparsify() makes, may have lost that: then it has one row.
func coefficients(e *fitted.Estimator, names ...string) (coef vector.Matrix, flat bool) {
	arr, ok := e.Get(names...).(*pickle.Array)
	if !ok || len(arr.Shape) != 1 {
		coef = e.Matrix(names...)
		return coef, !ok && coef.Rows == 1
	}
	row := e.Floats(names...)
	return vector.Matrix{Rows: 1, Cols: len(row), Data: row}, true
}

// intercepts reads one for each of n outputs. The file may have one for all.
func intercepts(e *fitted.Estimator, n int, names ...string) []float64 {
	var values []float64
	if _, ok := e.Get(names...).(*pickle.Array); ok {
		values = e.Floats(names...)
	} else {
		values = []float64{e.Number(names...)}
	}
	if len(values) == 1 && n > 1 && e.Alloc(8*n) {
		values = slices.Repeat(values, n)
	}
	e.Require(len(values) == n, names[0]+" does not fit the coefficients")
	return values
}

// scores fills dst with the products of a block.
func (l *weights) scores(w *graph.Work, dst []float64, x frame.Frame) error {
	return graph.Product(w, dst, x, l.coef, l.intercept)
}

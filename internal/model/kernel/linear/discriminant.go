// SPDX-License-Identifier: Apache-2.0

package linear

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/vector"
)

// discriminant is LinearDiscriminantAnalysis (Hastie, Tibshirani and Friedman, "The
// Elements of Statistical Learning", section 4.3). It also transforms, to the
// directions that tell the classes apart best.
type discriminant struct {
	*classifier
	mean       []float64 // nil for no centering
	directions vector.Matrix
	zeros      []float64
}

func newDiscriminant(e *fitted.Estimator) graph.Node {
	c := newClassifier(e, e.Labels())
	c.input.Sparse = false
	if c.coef.Rows == 1 {
		c.withProbabilities(oneVersusRest)
	} else {
		c.withProbabilities(softmaxOfMany)
	}
	solver := e.Text("svd", "solver")
	if solver == "lsqr" || !e.Ok() {
		return c
	}
	d := &discriminant{classifier: c, directions: transpose(e, e.Matrix("scalings_"))}
	if solver == "svd" {
		d.mean = e.Floats("xbar_")
		e.Require(len(d.mean) == c.coef.Cols, "xbar_ does not fit the features")
	}
	d.directions.Rows = min(d.directions.Rows, e.Int(math.MaxInt32, "_max_components"))
	d.directions.Data = d.directions.Data[:d.directions.Rows*d.directions.Cols]
	e.Require(d.directions.Cols == c.coef.Cols, "scalings_ does not fit the features")
	if e.Alloc(8 * d.directions.Rows) {
		d.zeros = make([]float64, d.directions.Rows)
	}
	return d
}

// Width implements graph.Transformer.
func (d *discriminant) Width() int { return d.directions.Rows }

// Transform implements graph.Transformer.
func (d *discriminant) Transform(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	if d.mean != nil {
		centered := w.Dense(x.Rows, x.Cols)
		for i := range x.Rows {
			row := centered.Row(i)
			for j, v := range x.Row(i) {
				row[j] = v - d.mean[j]
			}
		}
		x = centered
	}
	out := w.Dense(x.Rows, d.directions.Rows)
	return out, graph.Product(w, out.Data, x, d.directions, d.zeros)
}

// transpose makes the columns of a matrix of the file its rows.
func transpose(e *fitted.Estimator, m vector.Matrix) vector.Matrix {
	if !e.Alloc(8 * len(m.Data)) {
		return vector.Matrix{}
	}
	return m.Transpose()
}

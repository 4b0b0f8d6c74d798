// SPDX-License-Identifier: Apache-2.0

package bayes

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
)

// categorical is CategoricalNB: each feature has its own table of the categories'
// probabilities in each class.
type categorical struct {
	tables  [][]float64 // of a feature: the logarithms for its first category, the next ...
	prior   []float64
	classes int
}

func newCategorical(e *fitted.Estimator) graph.Node {
	tables := e.Matrices("feature_log_prob_")
	c := newChooser(e, len(tables), e.Labels())
	t := &categorical{prior: e.Floats("class_log_prior_"), classes: c.classes}
	e.Require(len(t.prior) == c.classes, "class_log_prior_ does not fit the classes")
	for _, m := range tables {
		e.Require(m.Rows == c.classes, "feature_log_prob_ does not fit the classes")
		if !e.Alloc(8 * len(m.Data)) {
			return c
		}
		t.tables = append(t.tables, m.Transpose().Data)
	}
	c.likelihood = t
	return c
}

func (t *categorical) logs(w *graph.Work, dst []float64, x frame.Frame) error {
	clear(dst)
	for i := range x.Rows {
		out := dst[i*t.classes : (i+1)*t.classes]
		for j, v := range x.Row(i) {
			v = math.Trunc(v)
			if v < 0 || v >= 1<<63 {
				return frame.InputError("Negative values in data passed to CategoricalNB (input X).")
			}
			table := t.tables[j]
			if size := len(table) / t.classes; v >= float64(size) {
				return frame.InputErrorf("index %.0f is out of bounds for axis 1 with size %d", v, size)
			}
			for k, log := range table[int(v)*t.classes : (int(v)+1)*t.classes] {
				out[k] += log
			}
		}
		for k, log := range t.prior {
			out[k] += log
		}
	}
	return w.Steps(len(x.Data) * (2 + t.classes))
}

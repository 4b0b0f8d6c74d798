// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"slices"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// dummy answers the same for all rows, without a look at them.
type dummy struct {
	input graph.Input
	graph.Outputs
	answers [frame.DecisionFunction + 1][]float64
}

// newDummy describes rows of any width: files of scikit-learn 1.0 to 1.8 do not tell it.
func newDummy(e *fitted.Estimator) *dummy {
	d := &dummy{input: graph.Input{Class: e.Class()}}
	if n, ok := e.Get("n_features_in_").(int64); ok && n > 0 && n < 1<<31 {
		d.input = e.Input(int(n))
	}
	d.input.Blind, d.input.Sparse = true, true
	return d
}

func newDummyClassifier(e *fitted.Estimator) graph.Node {
	d, out := newDummy(e), e.Labels()
	prior := e.Floats("class_prior_")
	if !e.Ok() {
		return d
	}
	classes := out.Classes[0]
	n := len(classes)
	e.Require(len(prior) == n, "class_prior_ does not fit the classes")
	if !e.Alloc(8*n) || !e.Ok() {
		return d
	}
	at, strategy := vector.Argmax(prior), e.Text("prior", "strategy", "_strategy")
	switch strategy {
	case "prior", "most_frequent":
	case "constant":
		at = slices.Index(classes, constant(e))
		e.Require(at >= 0 && at < n, "constant is none of the classes")
	default: // which draw lots
		e.Failf("strategy %s is not supported", pickle.Quote(strategy))
	}
	if !e.Ok() {
		return d
	}
	likely := prior
	if strategy != "prior" {
		likely = make([]float64, n)
		likely[at] = 1
	}
	d.Outputs = graph.Outputs{out, graph.List(n), {}}
	d.answers = [...][]float64{{float64(at)}, likely, nil}
	return d
}

// constant reads a value that may be in an array or a list.
func constant(e *fitted.Estimator) any {
	v := e.Get("constant")
	switch of := v.(type) {
	case *pickle.Array:
		if values := e.Values(of); len(values) == 1 {
			v = values[0]
		}
	case *pickle.List:
		if len(of.Items) == 1 {
			v = of.Items[0]
		}
	}
	switch v.(type) {
	case int64, uint64, float64, bool, string:
		return v
	}
	e.Failf("constant is %s, which is not supported", pickle.Describe(v))
	return nil
}

func newDummyRegressor(e *fitted.Estimator) graph.Node {
	d, values := newDummy(e), e.Floats("constant_")
	e.Require(len(values) > 0, "constant_ is empty")
	d.Outputs[frame.Predict] = graph.List(len(values))
	if len(values) == 1 {
		d.Outputs[frame.Predict] = graph.One()
	}
	d.answers[frame.Predict] = values
	return d
}

func (d *dummy) Input() *graph.Input { return &d.input }

func (d *dummy) Predict(w *graph.Work, m frame.Method, dst []float64, _ frame.Frame) error {
	values := d.answers[m]
	for i := 0; i < len(dst); i += len(values) {
		copy(dst[i:], values)
	}
	return w.Steps(len(dst))
}

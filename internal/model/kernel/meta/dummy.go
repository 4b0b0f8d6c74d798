// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"fmt"
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
	d, out := newDummy(e), e.LabelsOfAll()
	outputs, priors, strategy := len(out.Classes), []any{e.Get("class_prior_")}, e.Text("prior", "_strategy", "strategy")
	proba := frame.Output{}
	if !out.Flat {
		priors = e.List("class_prior_")
		e.Require(alike(out.Classes), "its outputs have labels of several types")
	}
	e.Require(len(priors) == outputs, "class_prior_ does not fit the outputs")
	if !e.Ok() {
		return d
	}
	for i, classes := range out.Classes {
		at, likely := chosen(e, strategy, classes, e.FloatsOf(priors[i], "class_prior_"), i, outputs)
		if !e.Ok() {
			return d
		}
		d.answers[frame.Predict] = append(d.answers[frame.Predict], float64(at))
		d.answers[frame.PredictProba] = append(d.answers[frame.PredictProba], likely...)
		proba.Parts = append(proba.Parts, len(classes))
		proba.Width += len(classes)
	}
	if out.Flat {
		proba.Parts = nil
	}
	d.Outputs = graph.Outputs{out, proba, {}}
	return d
}

// chosen returns the class that a strategy answers for output i, and how likely each is.
func chosen(e *fitted.Estimator, strategy string, classes []any, prior []float64, i, outputs int) (int, []float64) {
	n := len(classes)
	e.Require(len(prior) == n, "class_prior_ does not fit the classes")
	if !e.Alloc(16 * n) {
		return 0, nil
	}
	at := vector.Argmax(prior)
	switch strategy {
	case "prior":
		return at, prior
	case "most_frequent":
	case "constant":
		at = slices.Index(classes, constant(e, i, outputs))
		e.Require(at >= 0 && at < n, "constant is none of the classes")
	default: // which draw lots
		e.Failf("strategy %s is not supported", pickle.Quote(strategy))
	}
	if !e.Ok() {
		return 0, nil
	}
	likely := make([]float64, n)
	likely[at] = 1
	return at, likely
}

// alike reports whether all labels are of one type, as numpy would make them.
func alike(outputs [][]any) bool {
	kind := ""
	for _, classes := range outputs {
		for _, label := range classes {
			if of := fmt.Sprintf("%T", label); kind == "" || of == kind {
				kind = of
			} else {
				return false
			}
		}
	}
	return true
}

// constant reads the value of output i, which may be in an array or a list.
func constant(e *fitted.Estimator, i, outputs int) any {
	v := e.Get("constant")
	values := fitted.Items(v)
	if of, ok := v.(*pickle.Array); ok {
		values = e.Values(of)
	}
	if len(values) == outputs {
		v = values[i]
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
	d.Outputs[frame.Predict] = graph.OneOrList(len(values))
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

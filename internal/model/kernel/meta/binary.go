// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// binary is a part of a problem of several classes. It is a classifier of two, or a
// regressor, or a constant, if all rows were of one class.
type binary struct {
	graph.Predictor
	constant float64
	method   frame.Method // how it is asked for a score
	width    int          // of that answer
	codes    []int        // of its labels; nil for a regressor or a constant
}

// binaries are the parts of an estimator.
type binaries struct {
	outer
	parts     []binary
	threshold float64 // of a score, beyond which it is for the second class
}

func newBinaries(e *fitted.Estimator) *binaries {
	b := &binaries{}
	var all []graph.Predictor
	for _, v := range e.List("estimators_") {
		o, ok := v.(*pickle.Object)
		if !ok || !e.Work(1) {
			e.Failf("one of its estimators is %s", pickle.Describe(v))
			return b
		}
		if o.Class.Name == "_ConstantPredictor" {
			y := e.Member(v).Floats("y_")
			e.Require(len(y) == 1, "a constant in it is malformed")
			if e.Ok() {
				b.parts = append(b.parts, binary{constant: y[0]})
			}
			continue
		}
		p := e.AsPredictor(e.Node(v))
		all = append(all, p)
		b.parts = append(b.parts, binary{Predictor: p})
	}
	e.Require(len(all) > 0, "it has no estimators, or constants alone")
	b.outer = newOuter(e, all...)
	if !e.Ok() {
		return b
	}
	for i := range b.parts {
		b.parts[i].read(e)
	}
	if first := &b.parts[0]; first.codes == nil || first.method == frame.PredictProba {
		b.threshold = 0.5
	}
	return b
}

// read finds how to ask for a score.
func (b *binary) read(e *fitted.Estimator) {
	if b.Predictor == nil {
		return
	}
	if out, ok := b.Output(frame.Predict); ok && out.Classes == nil {
		b.width = 1
		e.Require(out.Width == 1, "an estimator in it has several outputs")
		return
	}
	b.codes = make([]int, 0, 2)
	for _, v := range numbers(e, b.Predictor) {
		if v > 0 { // OutputCodeClassifier has -1 and 1
			b.codes = append(b.codes, 1)
		} else {
			b.codes = append(b.codes, 0)
		}
	}
	e.Require(len(b.codes) == 2, "an estimator in it has not two classes")
	switch {
	case has(b, frame.DecisionFunction, 1):
		b.method, b.width = frame.DecisionFunction, 1
	case has(b, frame.PredictProba, 2):
		b.method, b.width = frame.PredictProba, 2
	default:
		e.Failf("%s in it has neither scores nor probabilities", b.Input().Class)
	}
}

// scores fills every stride-th value of dst with a score, from at on.
func (b *binary) scores(w *graph.Work, dst []float64, at, stride int, x frame.Frame) error {
	if b.Predictor == nil {
		for i := range x.Rows {
			dst[i*stride+at] = b.constant
		}
		return nil
	}
	return b.spread(w, b.method, b.width, dst, at, stride, x)
}

// spread asks for answers of some width, and puts the last value of each into dst.
func (b *binary) spread(w *graph.Work, m frame.Method, width int, dst []float64, at, stride int, x frame.Frame) error {
	mark := w.Mark()
	defer w.Release(mark)
	part, err := ask(w, b.Predictor, m, x)
	if err != nil {
		return err
	}
	for i := range x.Rows {
		dst[i*stride+at] = part[i*width+width-1]
	}
	return w.Steps(x.Rows)
}

// likely is scores for probabilities.
func (b *binary) likely(w *graph.Work, dst []float64, at, stride int, x frame.Frame) error {
	if b.Predictor == nil {
		return b.scores(w, dst, at, stride, x)
	}
	return b.spread(w, frame.PredictProba, 2, dst, at, stride, x)
}

// scores fills dst with the scores of all parts, row after row.
func (b *binaries) scores(w *graph.Work, dst []float64, x frame.Frame) error {
	for i := range b.parts {
		if err := b.parts[i].scores(w, dst, i, len(b.parts), x); err != nil {
			return err
		}
	}
	return nil
}

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

// outer is what estimators of this package are made of: the input and the outputs are
// their own, and the members answer. Members check the rows.
type outer struct {
	input graph.Input
	graph.Outputs
	members []graph.Predictor
}

func (o *outer) Input() *graph.Input { return &o.input }

// members builds the estimators of a list. All others of the estimator's must be
// built before anything is checked.
func members(e *fitted.Estimator, values []any) []graph.Predictor {
	var all []graph.Predictor
	for _, v := range values {
		if !e.Work(1) {
			return nil
		}
		all = append(all, e.AsPredictor(e.Node(v)))
	}
	e.Require(len(all) > 0, "it has no estimators")
	return all
}

// newOuter describes an estimator whose members get its rows as they are.
func newOuter(e *fitted.Estimator, all ...graph.Predictor) outer {
	o := outer{members: all}
	if !e.Ok() || len(all) == 0 {
		return o
	}
	first := all[0].Input()
	for _, p := range all {
		if in := p.Input(); first.Blind && !in.Blind {
			first = in
		}
	}
	o.input = graph.Input{Class: e.Class(), Schema: first.Schema, AllowNaN: true, AllowInf: true, Sparse: true, Blind: first.Blind}
	for _, p := range all {
		in := p.Input()
		e.Require(fits(in, first.Width), "its estimators have different features")
		e.Wide(in.Width)
		if !in.Blind && e.Alloc(in.Width) {
			o.kinds(in)
			o.input.Share(&in.Schema)
		}
		for m := range o.Outputs {
			if out, ok := p.Output(frame.Method(m)); ok {
				e.Wide(out.Width)
			}
		}
	}
	if first.Width == 0 {
		return o
	}
	if own := e.Input(first.Width); len(own.Names) > 0 {
		o.input.Names = own.Names
	}
	return o
}

// fits reports whether an estimator takes rows of a width.
func fits(in *graph.Input, width int) bool { return in.Blind || in.Width == width }

// kinds widens the kinds of columns, so that a member gets its own.
func (o *outer) kinds(in *graph.Input) {
	if slices.Equal(o.input.Kinds, in.Kinds) {
		return
	}
	kinds := make([]frame.Kind, in.Width)
	for j := range kinds {
		kinds[j] = in.Kind(j)
		if o.input.Kind(j) != kinds[j] {
			kinds[j] = frame.Anything
		}
	}
	o.input.Kinds = kinds
}

// errNotFinite is the error of rows for which a member answers NaN or infinity, where
// scikit-learn checks that.
var errNotFinite = frame.InputError("Input contains NaN, infinity or a value too large for dtype('float64').")

// ask returns the answers of a member.
func ask(w *graph.Work, p graph.Predictor, m frame.Method, x frame.Frame) ([]float64, error) {
	out, _ := p.Output(m)
	dst := w.Floats(x.Rows * out.Width)
	return dst, graph.Predict(w, p, m, dst, x)
}

// has reports whether a predictor has a method with as many values for each row, which
// are no labels.
func has(p graph.Predictor, m frame.Method, width int) bool {
	out, ok := p.Output(m)
	return ok && out.Width == width && out.Classes == nil && len(out.Parts) == 0
}

// labels returns the labels of a member that predicts one for each row.
func labels(e *fitted.Estimator, p graph.Predictor) []any {
	out, ok := p.Output(frame.Predict)
	if !ok || len(out.Classes) != 1 {
		e.Failf("%s in it is no classifier of one output", p.Input().Class)
		return nil
	}
	return out.Classes[0]
}

// numbers returns the labels of a member as numbers.
func numbers(e *fitted.Estimator, p graph.Predictor) []float64 {
	var all []float64
	for _, label := range labels(e, p) {
		v, ok := pickle.Float(label)
		if !ok || !e.Alloc(8) {
			e.Failf("%s in it answers labels that are no numbers", p.Input().Class)
			return nil
		}
		all = append(all, v)
	}
	return all
}

// codes returns the labels of a member that was fitted on the indexes of n classes.
func codes(e *fitted.Estimator, p graph.Predictor, n int) []int {
	var all []int
	for _, v := range numbers(e, p) {
		if !(v >= 0 && v < float64(n)) || v != float64(int(v)) || !e.Alloc(8) {
			e.Failf("%s in it has classes that it has not", p.Input().Class)
			return nil
		}
		all = append(all, int(v))
	}
	return all
}

// places returns where the labels of a member are among classes.
func places(e *fitted.Estimator, p graph.Predictor, classes []any) []int {
	index := make(map[any]int, len(classes))
	if !e.Alloc(64 * len(classes)) {
		return nil
	}
	for i, c := range classes {
		index[c] = i
	}
	var all []int
	for _, label := range labels(e, p) {
		i, ok := index[label]
		if !ok || !e.Alloc(8) {
			e.Failf("%s in it has classes that it has not", p.Input().Class)
			return nil
		}
		all = append(all, i)
	}
	return all
}

// classesOf returns the output of the estimator's classes, and how many there are.
func classesOf(e *fitted.Estimator, least int) (frame.Output, int) {
	out := e.Labels()
	if !e.Ok() {
		return frame.Output{Classes: [][]any{nil}}, 0
	}
	e.Require(len(out.Classes[0]) >= least, "it has one class only")
	return out, len(out.Classes[0])
}

// choose answers the class of the largest score of each row.
func choose(dst, scores []float64) {
	n := len(scores) / max(len(dst), 1)
	for i := range dst {
		dst[i] = float64(vector.Argmax(scores[i*n : (i+1)*n]))
	}
}

// present returns the members of a list of pairs that were not dropped, with an index
// of each.
func present(e *fitted.Estimator) []int {
	var all []int
	for i, v := range e.List("estimators") {
		pair := fitted.Items(v)
		if len(pair) == 2 && pair[1] != any("drop") && e.Alloc(8) {
			all = append(all, i)
		}
	}
	return all
}

// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// several has one member for each output.
type several struct{ outer }

func newMultiOutputClassifier(e *fitted.Estimator) graph.Node {
	s := &several{newOuter(e, members(e, e.List("estimators_"))...)}
	out, proba, total := frame.Output{Width: len(s.members)}, []int(nil), 0
	for i, p := range s.members {
		own, _ := p.Output(frame.Predict)
		if i == 0 {
			out.Type = own.Type
		}
		classes := labels(e, p)
		out.Classes = append(out.Classes, classes)
		if has(p, frame.PredictProba, len(classes)) {
			proba, total = append(proba, len(classes)), total+len(classes)
		}
	}
	s.Outputs[frame.Predict] = out
	if len(proba) == len(s.members) {
		s.Outputs[frame.PredictProba] = frame.Output{Width: total, Parts: proba}
		e.Wide(total)
	}
	return s
}

func newMultiOutputRegressor(e *fitted.Estimator) graph.Node {
	s := &several{newOuter(e, members(e, e.List("estimators_"))...)}
	for _, p := range s.members {
		e.Require(has(p, frame.Predict, 1), "one of its estimators predicts no number")
	}
	s.Outputs[frame.Predict] = graph.List(len(s.members))
	return s
}

func (s *several) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	at, width := 0, s.Outputs[m].Width
	mark := w.Mark()
	for _, p := range s.members {
		w.Release(mark)
		part, err := ask(w, p, m, x)
		if err != nil {
			return err
		}
		n := len(part) / x.Rows
		for i := range x.Rows {
			copy(dst[i*width+at:], part[i*n:(i+1)*n])
		}
		at += n
	}
	return w.Steps(len(dst))
}

// inTurn is a chain of members, which get the answers of those before them as
// columns (Read, Pfahringer, Holmes and Frank 2009).
type inTurn struct {
	outer
	order  []int        // the output of each member
	method frame.Method // whose answers become columns
	values [][]float64  // of each member's labels; nil for numbers
}

func newInTurn(e *fitted.Estimator) *inTurn {
	t := &inTurn{}
	t.members = members(e, e.List("estimators_"))
	if !e.Ok() {
		return t
	}
	first := t.members[0].Input()
	t.input = *input(e, first.Width)
	if len(t.input.Names) == 0 {
		t.input.Names = first.Names
	}
	t.input.Sparse = true
	e.Wide(first.Width + len(t.members))
	seen := make([]bool, len(t.members))
	order := orderOf(e)
	e.Require(len(order) == len(t.members), "order_ does not fit the estimators")
	for i, p := range t.members {
		e.Require(fits(p.Input(), first.Width+i), "its estimators do not follow each other")
		if !e.Ok() {
			return t
		}
		at := order[i]
		e.Require(at >= 0 && at < int64(len(seen)) && !seen[max(min(at, int64(len(seen))-1), 0)], "order_ does not fit the estimators")
		if e.Ok() {
			seen[at] = true
			t.order = append(t.order, int(at))
		}
	}
	return t
}

// orderOf reads order_, which is an array, or the list that the user gave.
func orderOf(e *fitted.Estimator) []int64 {
	if _, ok := e.Get("order_").(*pickle.Array); ok {
		return e.Ints("order_")
	}
	var order []int64
	for _, v := range e.List("order_") {
		at, ok := v.(int64)
		e.Require(ok && e.Alloc(8), "order_ holds no integers")
		order = append(order, at)
	}
	return order
}

func newRegressorChain(e *fitted.Estimator) graph.Node {
	t := newInTurn(e)
	for _, p := range t.members {
		e.Require(has(p, frame.Predict, 1), "one of its estimators predicts no number")
	}
	t.values = make([][]float64, len(t.members))
	t.Outputs[frame.Predict] = graph.List(len(t.members))
	return t
}

func newClassifierChain(e *fitted.Estimator) graph.Node {
	t := newInTurn(e)
	switch method := e.Text("predict", "chain_method_"); method {
	case "predict":
	case "predict_proba":
		t.method = frame.PredictProba
	case "decision_function":
		t.method = frame.DecisionFunction
	default:
		e.Failf("chain_method %s is not supported", pickle.Quote(method))
	}
	likely, decides, two := true, true, true
	for _, p := range t.members {
		values := numbers(e, p)
		t.values = append(t.values, values)
		two = two && len(values) == 2
		likely = likely && has(p, frame.PredictProba, 2)
		decides = decides && has(p, frame.DecisionFunction, 1)
	}
	e.Require(t.method == frame.Predict || t.method == frame.PredictProba && likely || t.method == frame.DecisionFunction && decides,
		"its estimators have not what its chain_method asks for")
	n := len(t.members)
	t.Outputs[frame.Predict] = graph.List(n)
	if likely && two {
		t.Outputs[frame.PredictProba] = graph.List(n)
	}
	if decides && two {
		t.Outputs[frame.DecisionFunction] = graph.List(n)
	}
	return t
}

func (t *inTurn) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	n := len(t.members)
	before := w.Floats(x.Rows * n)
	mark := w.Mark()
	for i, p := range t.members {
		w.Release(mark)
		rows := x
		if i > 0 {
			known := w.Dense(x.Rows, i)
			for r := range x.Rows {
				copy(known.Row(r), before[r*n:r*n+i])
			}
			rows = graph.Join(w, []frame.Frame{x, known})
		}
		if err := t.ask(w, p, i, t.method, before, i, rows); err != nil {
			return err
		}
		if m != t.method {
			if err := t.ask(w, p, i, m, dst, t.order[i], rows); err != nil {
				return err
			}
			continue
		}
		for r := range x.Rows {
			dst[r*n+t.order[i]] = before[r*n+i]
		}
	}
	return w.Steps(len(dst))
}

// ask puts the answers of member i into column at of dst.
func (t *inTurn) ask(w *graph.Work, p graph.Predictor, i int, m frame.Method, dst []float64, at int, x frame.Frame) error {
	part, err := ask(w, p, m, x)
	if err != nil {
		return err
	}
	n, width := len(t.members), len(part)/x.Rows
	for r := range x.Rows {
		v := part[r*width+width-1]
		if m == frame.Predict && t.values[i] != nil {
			v = t.values[i][int(v)]
		}
		dst[r*n+at] = v
	}
	return nil
}

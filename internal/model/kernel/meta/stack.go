// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// stacking asks a last estimator with the answers of the others as a row (Wolpert
// 1992).
type stacking struct {
	outer
	last    graph.Predictor
	methods []frame.Method
	values  [][]float64 // of each member's labels, if it answers any
	second  []bool      // only the second of a member's two probabilities counts
	width   int         // of all answers
	through bool        // the row follows
	codes   []int       // the classes of the last one's labels; nil for a regression
}

func newStacking(e *fitted.Estimator) *stacking {
	all := members(e, e.List("estimators_"))
	s := &stacking{last: e.AsPredictor(e.Node(e.Get("final_estimator_"))), outer: newOuter(e, all...), through: e.Flag("passthrough")}
	methods := e.List("stack_method_")
	e.Require(len(methods) == len(all), "stack_method_ does not fit the estimators")
	if !e.Ok() {
		return s
	}
	for i, p := range all {
		name, _ := methods[i].(string)
		s.add(e, p, name)
	}
	if s.through {
		s.width += s.input.Width
	}
	e.Wide(s.width)
	e.Require(fits(s.last.Input(), s.width), "its final estimator has other features")
	return s
}

// add reads what a member is asked for.
func (s *stacking) add(e *fitted.Estimator, p graph.Predictor, name string) {
	var m frame.Method
	switch name {
	case "predict":
	case "predict_proba":
		m = frame.PredictProba
	case "decision_function":
		m = frame.DecisionFunction
	default:
		e.Failf("the method %s is not supported", pickle.Quote(name))
	}
	out, ok := p.Output(m)
	if !ok || len(out.Parts) > 0 || len(out.Classes) > 1 {
		e.Failf("%s in it has no %s of one output", p.Input().Class, m)
		return
	}
	var values []float64
	if len(out.Classes) > 0 {
		values = numbers(e, p)
	}
	second := m == frame.PredictProba && out.Width == 2
	if s.width += out.Width; second {
		s.width--
	}
	s.methods, s.values, s.second = append(s.methods, m), append(s.values, values), append(s.second, second)
}

func newStackingClassifier(e *fitted.Estimator) graph.Node {
	s := newStacking(e)
	out, n := classesOf(e, 2)
	s.codes = codes(e, s.last, n)
	e.Require(len(s.codes) == n, "its final estimator has other classes")
	s.Outputs[frame.Predict] = out
	for _, m := range []frame.Method{frame.PredictProba, frame.DecisionFunction} {
		s.Outputs[m], _ = s.last.Output(m)
	}
	return s
}

func newStackingRegressor(e *fitted.Estimator) graph.Node {
	s := newStacking(e)
	e.Require(has(s.last, frame.Predict, 1), "its final estimator predicts no number")
	s.Outputs[frame.Predict] = graph.One()
	return s
}

func (s *stacking) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	made := s.width
	if s.through {
		made -= x.Cols
	}
	rows := w.Dense(x.Rows, made)
	at := 0
	mark := w.Mark()
	for i, p := range s.members {
		w.Release(mark)
		part, err := ask(w, p, s.methods[i], x)
		if err != nil {
			return err
		}
		at += s.put(rows, at, i, part)
	}
	if s.through {
		rows = graph.Join(w, []frame.Frame{rows, x})
	}
	if err := graph.Predict(w, s.last, m, dst, rows); err != nil || m != frame.Predict || s.codes == nil {
		return err
	}
	for i, v := range dst {
		dst[i] = float64(s.codes[int(v)])
	}
	return w.Steps(len(rows.Data))
}

// put writes the answers of a member into columns, and returns how many.
func (s *stacking) put(rows frame.Frame, at, member int, part []float64) int {
	n, skip := len(part)/rows.Rows, 0
	if s.second[member] {
		skip = 1
	}
	for i := range rows.Rows {
		row := rows.Row(i)[at:]
		for k, v := range part[i*n+skip : (i+1)*n] {
			if values := s.values[member]; values != nil {
				v = values[int(v)]
			}
			row[k] = v
		}
	}
	return n - skip
}

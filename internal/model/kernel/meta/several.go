// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
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

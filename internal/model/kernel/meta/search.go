// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
)

// newInner makes the estimator of an attribute, which answers everything.
func newInner(names ...string) fitted.Constructor {
	return func(e *fitted.Estimator) graph.Node { return e.Node(e.Get(names...)) }
}

// newSearch makes the estimator that a search found best.
func newSearch(e *fitted.Estimator) graph.Node {
	if v := e.Get("refit"); v == any(false) {
		e.Failf("it was fitted with refit=False, so it has no best estimator that could predict")
	}
	if e.Get("best_estimator_") == nil {
		e.Part("best_estimator_") // fails
	}
	return e.Node(e.Get("best_estimator_"))
}

// alias answers as its only member, but has an input of its own.
type alias struct{ outer }

// newSelfTraining makes SelfTrainingClassifier.
func newSelfTraining(e *fitted.Estimator) graph.Node {
	p := e.AsPredictor(e.Node(e.Get("estimator_", "base_estimator_")))
	a := &alias{newOuter(e, p)}
	for m := range a.Outputs {
		a.Outputs[m], _ = p.Output(frame.Method(m))
	}
	return a
}

func (a *alias) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	return graph.Predict(w, a.members[0], m, dst, x)
}

// End implements fitted.Ender.
func (a *alias) End() graph.Node { return a.members[0] }

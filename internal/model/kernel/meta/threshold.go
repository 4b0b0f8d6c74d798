// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"slices"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// threshold decides between two classes by a score of its member.
type threshold struct {
	outer
	method   frame.Method // that answers the score
	width    int          // of that answer
	least    float64      // score of the positive class
	positive int
}

// newThreshold makes a classifier whose positive class has this label, if there is
// one.
func newThreshold(e *fitted.Estimator, label any) *threshold {
	p := e.AsPredictor(e.Node(e.Get("estimator_")))
	t := &threshold{outer: newOuter(e, p), positive: 1}
	classes := labels(e, p)
	e.Require(len(classes) == 2, "its estimator has not two classes")
	if label != nil && e.Ok() {
		t.positive = slices.Index(classes, label)
		e.Require(t.positive >= 0, "pos_label is none of the classes")
	}
	for m := range t.Outputs {
		t.Outputs[m], _ = p.Output(frame.Method(m))
	}
	_, likely := p.Output(frame.PredictProba)
	switch method := e.Text("auto", "response_method"); {
	case method == "predict_proba", method == "auto" && likely:
		t.method = frame.PredictProba
	case method == "decision_function", method == "auto":
		t.method = frame.DecisionFunction
	default:
		e.Failf("response_method %s is not supported", pickle.Quote(method))
	}
	t.width = 1
	if t.method == frame.PredictProba {
		t.width = 2
	}
	e.Require(has(p, t.method, t.width), "its estimator has no such scores")
	return t
}

func newFixedThreshold(e *fitted.Estimator) graph.Node {
	label := e.Get("pos_label")
	switch label.(type) {
	case nil, int64, float64, bool, string:
	default:
		e.Failf("pos_label is %s, which is not supported", pickle.Describe(label))
		label = nil
	}
	t := newThreshold(e, label)
	if e.Get("threshold") == any("auto") {
		if t.method == frame.PredictProba {
			t.least = 0.5
		}
		return t
	}
	t.least = e.Number("threshold")
	return t
}

// newTunedThreshold makes TunedThresholdClassifierCV. Its scorer may know the positive
// class: scikit-learn's own ones take the label 1.
func newTunedThreshold(e *fitted.Estimator) graph.Node {
	t := newThreshold(e, nil)
	t.least = e.Number("best_threshold_")
	name, _ := e.Get("scoring").(string)
	classes := t.Outputs[frame.Predict].Classes
	one := false
	if len(classes) == 1 && len(classes[0]) == 2 {
		v, ok := pickle.Float(classes[0][1])
		one = ok && v == 1
	}
	e.Require(name == "balanced_accuracy" || name == "accuracy" || name != "" && one, "its scoring is not supported")
	return t
}

func (t *threshold) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	if m != frame.Predict {
		return graph.Predict(w, t.members[0], m, dst, x)
	}
	scores, err := ask(w, t.members[0], t.method, x)
	if err != nil {
		return err
	}
	for i := range dst {
		score := scores[i*t.width]
		switch {
		case t.width == 2:
			score = scores[i*2+t.positive]
		case t.positive == 0:
			score = -score
		}
		dst[i] = float64(1 - t.positive)
		if score >= t.least {
			dst[i] = float64(t.positive)
		}
	}
	return nil
}

// End implements fitted.Ender.
func (t *threshold) End() graph.Node { return t.members[0] }

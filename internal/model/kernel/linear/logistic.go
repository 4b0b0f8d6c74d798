// SPDX-License-Identifier: Apache-2.0

package linear

import (
	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// logistic is LogisticRegression. Two classes share one row of coefficients.
type logistic struct {
	input graph.Input
	graph.Outputs
	coef      vector.Matrix
	intercept []float64
	softmax   bool // else one independent probability per class, normalised
}

func newLogistic(e *fitted.Estimator) graph.Node {
	coef := e.Matrix("coef_")
	l := &logistic{input: e.Input(coef.Cols), coef: coef, intercept: e.Floats("intercept_")}
	labels := e.Labels()
	if !e.Ok() {
		return l
	}
	classes := len(labels.Classes[0])
	switch multi := e.Text("auto", "multi_class"); multi {
	case "ovr", "warn": // "warn" and "deprecated" are defaults of some versions
	case "multinomial":
		l.softmax = true
	case "auto", "deprecated":
		l.softmax = classes > 2 && e.Text("lbfgs", "solver") != "liblinear"
	default:
		e.Failf("multi_class %s is not supported", pickle.Quote(multi))
	}
	decision := graph.List(classes)
	if classes == 2 {
		decision = graph.One()
	}
	e.Require(classes >= 2, "it has fewer than two classes")
	e.Require(coef.Rows == decision.Width && len(l.intercept) == decision.Width, "coef_ and intercept_ do not fit the classes")
	l.Outputs = graph.Outputs{labels, graph.List(classes), decision}
	return l
}

func (l *logistic) Input() *graph.Input { return &l.input }

// decide fills dst with scikit-learn's decision_function: one value for two classes,
// else one per class.
func (l *logistic) decide(dst, row []float64) {
	vector.Dots(dst, row, &l.coef)
	for i, v := range l.intercept {
		dst[i] += v
	}
}

func (l *logistic) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	width := l.Outputs[m].Width
	scores := w.Floats(l.coef.Rows)
	for i := range x.Rows {
		l.decide(scores, x.Row(i))
		out := dst[i*width : (i+1)*width]
		switch m {
		case frame.Predict:
			out[0] = float64(class(scores))
		case frame.PredictProba:
			l.probabilities(out, scores)
		case frame.DecisionFunction:
			copy(out, scores)
		}
		if err := w.Steps(len(l.coef.Data)); err != nil {
			return err
		}
	}
	return nil
}

// class returns the index of the class that the scores decide for.
func class(scores []float64) int {
	switch {
	case len(scores) > 1:
		return vector.Argmax(scores)
	case scores[0] > 0:
		return 1
	}
	return 0
}

func (l *logistic) probabilities(dst, scores []float64) {
	switch {
	case len(scores) == 1 && l.softmax:
		dst[1] = vector.Sigmoid(2 * scores[0])
		dst[0] = 1 - dst[1]
	case len(scores) == 1:
		dst[1] = vector.Sigmoid(scores[0])
		dst[0] = 1 - dst[1]
	case l.softmax:
		copy(dst, scores)
		vector.Softmax(dst)
	default:
		for i, v := range scores {
			dst[i] = vector.Sigmoid(v)
		}
		vector.Normalize(dst)
	}
}

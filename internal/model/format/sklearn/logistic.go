// SPDX-License-Identifier: Apache-2.0

package sklearn

import "math"

// logistic is LogisticRegression. Two classes share one row of coefficients.
type logistic struct {
	input
	classes   []any
	coef      Matrix
	intercept []float64
	softmax   bool // else one independent probability per class, normalised
}

func newLogistic(a *attributes) step {
	coef := a.matrix("coef_")
	l := &logistic{
		input:     a.input(coef.Cols),
		classes:   a.labels(),
		coef:      coef,
		intercept: a.floats("intercept_"),
	}
	switch multi := a.text("auto", "multi_class"); multi {
	case "ovr", "warn": // "warn" and "deprecated" are defaults of some versions
	case "multinomial":
		l.softmax = true
	case "auto", "deprecated":
		l.softmax = len(l.classes) > 2 && a.text("lbfgs", "solver") != "liblinear"
	default:
		a.failf("multi_class %s is not supported", quote(multi))
	}
	rows := len(l.classes)
	if rows == 2 {
		rows = 1
	}
	a.require(len(l.classes) >= 2, "it has fewer than two classes")
	a.require(coef.Rows == rows && len(l.intercept) == rows, "coef_ and intercept_ do not fit the classes")
	return l
}

func (l *logistic) labels() []any { return l.classes }

func (l *logistic) hasProba() bool { return true }

// decision is scikit-learn's decision_function: one value for two classes,
// else one per class.
func (l *logistic) decision(row []float64, s *scratch) []float64 {
	out := sized(&s.scores, l.coef.Rows)
	s.scores = out
	s.done += len(l.coef.Data)
	for i := range out {
		out[i] = dot(row, l.coef.Data[i*l.coef.Cols:(i+1)*l.coef.Cols]) + l.intercept[i]
	}
	return out
}

func (l *logistic) predict(row []float64, s *scratch) int {
	scores := l.decision(row, s)
	switch {
	case len(scores) > 1:
		return argmax(scores)
	case scores[0] > 0:
		return 1
	}
	return 0
}

func (l *logistic) proba(dst, row []float64, s *scratch) {
	scores := l.decision(row, s)
	switch {
	case len(scores) == 1 && l.softmax:
		dst[1] = sigmoid(2 * scores[0])
		dst[0] = 1 - dst[1]
	case len(scores) == 1:
		dst[1] = sigmoid(scores[0])
		dst[0] = 1 - dst[1]
	case l.softmax:
		highest := scores[argmax(scores)]
		for i, v := range scores {
			dst[i] = math.Exp(v - highest)
		}
		normalize(dst)
	default:
		for i, v := range scores {
			dst[i] = sigmoid(v)
		}
		normalize(dst)
	}
}

// normalize makes the values sum to 1, unless they sum to 0.
func normalize(values []float64) {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	if sum == 0 {
		return
	}
	for i := range values {
		values[i] /= sum
	}
}

// SPDX-License-Identifier: Apache-2.0

package trees

import (
	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/vector"
)

// answer turns the raw values of boosting into answers.
type answer struct {
	graph.Outputs
	classes int     // 0 for a regression
	scale   float64 // of the raw value of two classes, as the logit of a probability
	rule    rule
	inverse func(raw float64) float64 // of a regression; nil for raw values
}

// rule is how raw values become a label.
type rule byte

const (
	likelier    rule = iota // that of the largest probability, after rounding
	notNegative             // the second of two if the raw value is 0 or more
	positive                // the second of two if the raw value is more than 0
)

// newAnswer reads the classes of a classifier.
func newAnswer(e *fitted.Estimator) answer {
	labels := e.Labels()
	if e.Ok() {
		e.Require(len(labels.Classes[0]) > 1, "it has one class only")
	}
	if !e.Ok() {
		return answer{}
	}
	a := answer{classes: len(labels.Classes[0]), scale: 1}
	a.Outputs = graph.Outputs{labels, graph.List(a.classes), graph.Decisions(a.classes)}
	return a
}

// raws is the number of raw values of a row.
func (a *answer) raws() int {
	if a.classes > 2 {
		return a.classes
	}
	return 1
}

// raw returns the memory for the raw values of a block.
func (a *answer) raw(w *graph.Work, m frame.Method, dst []float64, rows int) []float64 {
	if n := rows * a.raws(); n != len(dst) || m == frame.Predict && a.classes > 0 {
		return w.Floats(n)
	}
	return dst
}

// answer fills dst with what raw values mean.
func (a *answer) answer(m frame.Method, dst, raw []float64) {
	switch {
	case a.classes == 0 && a.inverse != nil:
		for i, v := range raw {
			dst[i] = a.inverse(v)
		}
	case a.classes == 0 || m == frame.DecisionFunction: // raw is dst
	case a.classes == 2 && m == frame.Predict:
		for i, v := range raw {
			dst[i] = float64(one(a.second(v)))
		}
	case a.classes == 2:
		for i, v := range raw {
			p := vector.Sigmoid(a.scale * v)
			dst[2*i], dst[2*i+1] = 1-p, p
		}
	default:
		a.many(m, dst, raw)
	}
}

// many is answer for three or more classes.
func (a *answer) many(m frame.Method, dst, raw []float64) {
	for i := range len(raw) / a.classes {
		row := raw[i*a.classes : (i+1)*a.classes]
		if m == frame.PredictProba || a.rule == likelier {
			vector.Softmax(row)
		}
		if m == frame.Predict {
			dst[i] = float64(vector.Argmax(row))
		}
	}
}

// second reports whether the second of two classes is the answer.
func (a *answer) second(raw float64) bool {
	switch a.rule {
	case notNegative:
		return raw >= 0
	case positive:
		return raw > 0
	default:
		p := vector.Sigmoid(a.scale * raw)
		return p > 1-p
	}
}

// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// voting is the weighted mean of the members' answers, or the class that most of them
// vote for.
type voting struct {
	outer
	weights []float64 // their sum is 1, but of votes
	classes int       // 0 for a regression
	codes   [][]int   // the classes of each member's labels, if they vote
}

func newVoting(e *fitted.Estimator) *voting {
	v := &voting{outer: newOuter(e, members(e, e.List("estimators_"))...)}
	v.weights = make([]float64, len(v.members))
	for i := range v.weights {
		v.weights[i] = 1
	}
	if e.Get("weights") == nil {
		return v
	}
	all, used := weights(e), present(e)
	e.Require(len(used) == len(v.members), "estimators does not fit estimators_")
	for i, at := range used {
		e.Require(at < len(all), "weights does not fit estimators")
		if e.Ok() {
			v.weights[i] = all[at]
		}
	}
	return v
}

// weights reads a list of numbers.
func weights(e *fitted.Estimator) []float64 {
	if _, ok := e.Get("weights").(*pickle.Array); ok {
		return e.Floats("weights")
	}
	var all []float64
	for _, v := range e.List("weights") {
		n, ok := pickle.Float(v)
		e.Require(ok && e.Alloc(8), "weights has no numbers")
		all = append(all, n)
	}
	return all
}

// normalize makes the weights those of a mean.
func (v *voting) normalize(e *fitted.Estimator) {
	sum := 0.0
	for _, weight := range v.weights {
		sum += weight
	}
	e.Require(sum != 0, "the sum of its weights is 0")
	for i := range v.weights {
		v.weights[i] /= sum
	}
}

func newVotingClassifier(e *fitted.Estimator) graph.Node {
	v := newVoting(e)
	out, n := classesOf(e, 1)
	v.classes = n
	switch voting := e.Text("hard", "voting"); voting {
	case "hard":
		for _, p := range v.members {
			v.codes = append(v.codes, codes(e, p, n))
		}
	case "soft":
		v.normalize(e)
		for _, p := range v.members {
			e.Require(has(p, frame.PredictProba, n), "one of its estimators has no probabilities of its classes")
		}
		v.Outputs[frame.PredictProba] = graph.List(n)
	default:
		e.Failf("voting %s is not supported", pickle.Quote(voting))
	}
	v.Outputs[frame.Predict] = out
	e.Wide(n)
	return v
}

func newVotingRegressor(e *fitted.Estimator) graph.Node {
	v := newVoting(e)
	v.normalize(e)
	for _, p := range v.members {
		e.Require(has(p, frame.Predict, 1), "one of its estimators predicts no number")
	}
	v.Outputs[frame.Predict] = graph.One()
	return v
}

func (v *voting) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	if v.classes == 0 {
		return v.mean(w, frame.Predict, dst, x)
	}
	if m == frame.PredictProba {
		return v.mean(w, m, dst, x)
	}
	scores := w.Floats(x.Rows * v.classes)
	if len(v.codes) == 0 {
		if err := v.mean(w, frame.PredictProba, scores, x); err != nil {
			return err
		}
		choose(dst, scores)
		return nil
	}
	clear(scores)
	mark := w.Mark()
	for i, p := range v.members {
		w.Release(mark)
		labels, err := ask(w, p, frame.Predict, x)
		if err != nil {
			return err
		}
		for r, label := range labels {
			scores[r*v.classes+v.codes[i][int(label)]] += v.weights[i]
		}
	}
	choose(dst, scores)
	return w.Steps(len(scores))
}

// mean fills dst with the weighted mean of all members.
func (v *voting) mean(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	clear(dst)
	mark := w.Mark()
	for i, p := range v.members {
		w.Release(mark)
		part, err := ask(w, p, m, x)
		if err != nil {
			return err
		}
		for k, value := range part {
			dst[k] += v.weights[i] * value
		}
	}
	return w.Steps(len(dst) * len(v.members))
}

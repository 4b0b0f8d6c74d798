// SPDX-License-Identifier: Apache-2.0

package svm

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/vector"
)

// svc is C-SVC or nu-SVC: one value per pair of classes, then a vote.
type svc struct {
	machine
	graph.Outputs
	classes   int
	probA     []float64 // one per pair; empty without probabilities
	probB     []float64
	ovr       bool // decision_function answers one value per class
	breakTies bool // and so does predict
}

func newSVC(e *fitted.Estimator) graph.Node {
	s := &svc{
		machine:   newMachine(e),
		ovr:       e.Text("", "decision_function_shape") == "ovr",
		breakTies: e.Flag("break_ties"),
	}
	e.Require(!s.breakTies || e.Get("decision_function_shape") != any("ovo"), "break_ties is True and decision_function_shape is ovo, so scikit-learn itself does not predict")
	if e.Get("probability") != any("deprecated") && e.Flag("probability") {
		s.probA, s.probB = e.Floats("_probA", "probA_"), e.Floats("_probB", "probB_")
	}
	labels := e.Labels()
	counts, total := e.Ints("_n_support", "n_support_"), int64(0)
	for _, n := range counts {
		e.Require(n >= 0 && n <= int64(s.vectors.Rows), "n_support_ is malformed")
		total += n
	}
	if !e.Ok() {
		return s
	}
	s.classes = len(labels.Classes[0])
	n := s.classes
	pairs := n * (n - 1) / 2
	e.Require(n >= 2, "it has fewer than two classes")
	e.Require(len(counts) == n && total == int64(s.vectors.Rows), "n_support_ does not fit the support vectors")
	e.Require(s.weights.Rows == n-1, "dual_coef_ does not fit the classes")
	e.Require(len(s.intercept) == pairs, "intercept_ does not fit the classes")
	e.Require(len(s.probA) == len(s.probB) && (len(s.probA) == 0 || len(s.probA) == pairs), "probA_ and probB_ do not fit the classes")
	e.Alloc(8 * s.room())
	s.split(e, counts)
	s.outputs(labels)
	return s
}

func (s *svc) outputs(labels frame.Output) {
	s.Outputs = graph.Outputs{labels, {}, graph.List(len(s.intercept))}
	if s.ovr {
		s.Outputs[frame.DecisionFunction] = graph.List(s.classes)
	}
	if s.classes == 2 {
		s.Outputs[frame.DecisionFunction] = graph.One()
	}
	if s.hasProba() {
		s.Outputs[frame.PredictProba] = graph.List(s.classes)
	}
}

// room returns the number of values that predicting a row needs.
func (s *svc) room() int {
	n := s.classes
	values := 4*n + len(s.intercept)
	if s.hasProba() {
		values += 2*n*n + n
	}
	return values
}

func (s *svc) hasProba() bool { return len(s.probA) > 0 }

func (s *svc) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	width := s.Outputs[m].Width
	return s.each(w, x, func(i int, pairs []float64) error {
		out := dst[i*width : (i+1)*width]
		switch m {
		case frame.Predict:
			out[0] = float64(s.class(w, pairs))
		case frame.PredictProba:
			return s.probabilities(w, out, pairs)
		case frame.DecisionFunction:
			s.decide(w, out, pairs)
		}
		return nil
	})
}

// class returns the index of the class that most pairs vote for.
func (s *svc) class(w *graph.Work, pairs []float64) int {
	if s.breakTies && s.ovr && s.classes > 2 {
		scores := w.Floats(s.classes)
		s.decide(w, scores, pairs)
		return vector.Argmax(scores)
	}
	votes, pair := w.Ints(s.classes), 0
	clear(votes)
	for i := range votes {
		for j := i + 1; j < len(votes); j++ {
			if pairs[pair] > 0 {
				votes[i]++
			} else {
				votes[j]++
			}
			pair++
		}
	}
	return vector.Argmax(votes)
}

// decide fills dst with scikit-learn's decision_function. With one value per class
// (ovr), that value is the votes of the class plus a share of the pairwise values that
// is too small to change the order of the votes.
func (s *svc) decide(w *graph.Work, dst, pairs []float64) {
	switch {
	case s.classes == 2:
		dst[0] = -pairs[0]
		return
	case !s.ovr:
		copy(dst, pairs)
		return
	}
	confidence := w.Floats(s.classes)
	clear(confidence)
	clear(dst)
	pair := 0
	for i := range dst {
		for j := i + 1; j < len(dst); j++ {
			confidence[i] += pairs[pair]
			confidence[j] -= pairs[pair]
			if pairs[pair] < 0 {
				dst[j]++
			} else {
				dst[i]++
			}
			pair++
		}
	}
	for i, c := range confidence {
		dst[i] += c / (3 * (math.Abs(c) + 1))
	}
}

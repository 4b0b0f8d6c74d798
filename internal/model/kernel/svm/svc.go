// SPDX-License-Identifier: Apache-2.0

package svm

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// svc is the C-SVC of libsvm (https://www.csie.ntu.edu.tw/~cjlin/libsvm): one
// decision value per pair of classes, then a vote.
type svc struct {
	input graph.Input
	graph.Outputs
	classes   int
	kernel    kernel
	vectors   vector.Matrix // support vectors, grouped by class
	starts    []int         // of each class in vectors, and the end
	dual      []float64     // (classes-1) x vectors
	intercept []float64     // one per pair
	probA     []float64     // one per pair; empty without probabilities
	probB     []float64
	ovr       bool // decision_function answers one value per class
	breakTies bool // and so does predict
}

func newSVC(e *fitted.Estimator) graph.Node {
	similarity := newKernel(e)
	vectors := e.Matrix("support_vectors_")
	s := &svc{
		input:     e.Input(vectors.Cols),
		kernel:    similarity,
		vectors:   vectors,
		starts:    []int{0},
		intercept: e.Floats("_intercept_"),
		probA:     e.Floats("_probA", "probA_"),
		probB:     e.Floats("_probB", "probB_"),
		ovr:       e.Text("ovr", "decision_function_shape") == "ovr",
		breakTies: e.Flag("break_ties"),
	}
	labels := e.Labels()
	total := 0
	for _, n := range e.Ints("_n_support", "n_support_") {
		e.Require(n >= 0 && n <= int64(vectors.Rows), "n_support_ is malformed")
		total += int(n)
		s.starts = append(s.starts, total)
	}
	dual := e.Matrix("_dual_coef_")
	if !e.Ok() {
		return s
	}
	s.dual = dual.Data
	s.classes = len(labels.Classes[0])
	n := s.classes
	pairs := n * (n - 1) / 2
	e.Require(n >= 2, "it has fewer than two classes")
	e.Require(len(s.starts) == n+1 && total == vectors.Rows, "n_support_ does not fit the support vectors")
	e.Require(dual.Rows == n-1 && dual.Cols == vectors.Rows, "dual_coef_ does not fit the support vectors")
	e.Require(len(s.intercept) == pairs, "intercept_ does not fit the classes")
	e.Require(len(s.probA) == len(s.probB) && (len(s.probA) == 0 || len(s.probA) == pairs), "probA_ and probB_ do not fit the classes")
	e.Alloc(8 * s.room())
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
	values := s.vectors.Rows + 3*n + len(s.intercept)
	if s.hasProba() {
		values += 2*n*n + n
	}
	return values
}

func (s *svc) Input() *graph.Input { return &s.input }

func (s *svc) hasProba() bool { return len(s.probA) > 0 }

func (s *svc) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	width := s.Outputs[m].Width
	mark := w.Mark()
	for i := range x.Rows {
		w.Release(mark)
		pairs, err := s.pairwise(w, x.Row(i))
		if err != nil {
			return err
		}
		out := dst[i*width : (i+1)*width]
		switch m {
		case frame.Predict:
			out[0] = float64(s.class(w, pairs))
		case frame.PredictProba:
			err = s.probabilities(w, out, pairs)
		case frame.DecisionFunction:
			s.decide(w, out, pairs)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// kernel fills dst with the similarity of a row to each support vector.
type kernel func(dst, row []float64, vectors *vector.Matrix)

func newKernel(e *fitted.Estimator) kernel {
	name := e.Text("rbf", "kernel")
	if name == "linear" {
		return vector.Dots
	}
	gamma := e.Number("_gamma")
	switch name {
	case "rbf":
		return func(dst, row []float64, vectors *vector.Matrix) {
			vector.SquaredDistances(dst, row, vectors)
			for i, d := range dst {
				dst[i] = math.Exp(-gamma * d)
			}
		}
	case "poly":
		coef, degree := e.Number("coef0"), e.Number("degree")
		e.Require(degree >= 0 && degree < 1<<20, "the degree of the kernel is out of range")
		return func(dst, row []float64, vectors *vector.Matrix) {
			vector.Dots(dst, row, vectors)
			for i, d := range dst {
				dst[i] = power(gamma*d+coef, int(degree))
			}
		}
	case "sigmoid":
		coef := e.Number("coef0")
		return func(dst, row []float64, vectors *vector.Matrix) {
			vector.Dots(dst, row, vectors)
			for i, d := range dst {
				dst[i] = math.Tanh(gamma*d + coef)
			}
		}
	}
	e.Failf("kernel %s is not supported; supported are linear, poly, rbf, sigmoid", pickle.Quote(name))
	return nil
}

// power multiplies in the order of libsvm, so that it rounds as libsvm does.
func power(base float64, times int) float64 {
	result := 1.0
	for ; times > 0; times /= 2 {
		if times%2 == 1 {
			result *= base
		}
		base *= base
	}
	return result
}

// pairwise returns libsvm's decision values: one for each pair i < j of
// classes, positive for i.
func (s *svc) pairwise(w *graph.Work, row []float64) ([]float64, error) {
	similar := w.Floats(s.vectors.Rows)
	s.kernel(similar, row, &s.vectors)
	if err := w.Steps(len(s.vectors.Data)); err != nil {
		return nil, err
	}
	n := s.classes
	out := w.Floats(len(s.intercept))[:0]
	for i := range n {
		if err := w.Steps(n + s.vectors.Rows); err != nil {
			return nil, err
		}
		for j := i + 1; j < n; j++ {
			sum := s.intercept[len(out)]
			sum += s.weigh(similar, j-1, i)
			sum += s.weigh(similar, i, j)
			out = append(out, sum)
		}
	}
	return out, nil
}

// weigh sums the similarities to a class with one row of coefficients.
func (s *svc) weigh(similar []float64, coef, class int) float64 {
	from, to := s.starts[class], s.starts[class+1]
	offset := coef * s.vectors.Rows
	return vector.Dot(similar[from:to], s.dual[offset+from:offset+to])
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

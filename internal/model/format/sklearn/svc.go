// SPDX-License-Identifier: Apache-2.0

package sklearn

import "math"

// svc is the C-SVC of libsvm (https://www.csie.ntu.edu.tw/~cjlin/libsvm): one
// decision value per pair of classes, then a vote.
type svc struct {
	input
	classes   []any
	kernel    kernel
	vectors   Matrix    // support vectors, grouped by class
	starts    []int     // of each class in vectors, and the end
	dual      []float64 // (classes-1) x vectors
	intercept []float64 // one per pair
	probA     []float64 // one per pair; empty without probabilities
	probB     []float64
	ovr       bool // decision_function answers one value per class
	breakTies bool // and so does predict
}

func newSVC(a *attributes) step {
	similarity := newKernel(a)
	vectors := a.matrix("support_vectors_")
	s := &svc{
		input:     a.input(vectors.Cols),
		classes:   a.labels(),
		kernel:    similarity,
		vectors:   vectors,
		starts:    []int{0},
		intercept: a.floats("_intercept_"),
		probA:     a.floats("_probA", "probA_"),
		probB:     a.floats("_probB", "probB_"),
		ovr:       a.text("ovr", "decision_function_shape") == "ovr",
		breakTies: a.flag("break_ties"),
	}
	total := 0
	for _, n := range a.ints("_n_support", "n_support_") {
		a.require(n >= 0 && n <= int64(vectors.Rows), "n_support_ is malformed")
		total += int(n)
		s.starts = append(s.starts, total)
	}
	dual := a.matrix("_dual_coef_")
	s.dual = dual.Data
	n := len(s.classes)
	pairs := n * (n - 1) / 2
	a.require(n >= 2, "it has fewer than two classes")
	a.require(len(s.starts) == n+1 && total == vectors.Rows, "n_support_ does not fit the support vectors")
	a.require(dual.Rows == n-1 && dual.Cols == vectors.Rows, "dual_coef_ does not fit the support vectors")
	a.require(len(s.intercept) == pairs, "intercept_ does not fit the classes")
	a.check(a.builder.alloc(8 * s.room()))
	a.require(len(s.probA) == len(s.probB) && (len(s.probA) == 0 || len(s.probA) == pairs), "probA_ and probB_ do not fit the classes")
	return s
}

// room returns the number of float64 values in the scratch memory of a model.
func (s *svc) room() int {
	n := len(s.classes)
	values := s.vectors.Rows + n + len(s.intercept)
	if s.hasProba() {
		values += 2*n*n + n
	}
	return values
}

// kernel fills dst with the similarity of a row to each support vector.
type kernel func(dst, row []float64, vectors Matrix)

func newKernel(a *attributes) kernel {
	name := a.text("rbf", "kernel")
	if name == "linear" {
		return dots
	}
	gamma := a.number("_gamma")
	switch name {
	case "rbf":
		return func(dst, row []float64, vectors Matrix) {
			distances(dst, row, vectors)
			for i, d := range dst {
				dst[i] = math.Exp(-gamma * d)
			}
		}
	case "poly":
		coef, degree := a.number("coef0"), a.number("degree")
		a.require(degree >= 0 && degree < 1<<20, "the degree of the kernel is out of range")
		return func(dst, row []float64, vectors Matrix) {
			dots(dst, row, vectors)
			for i, d := range dst {
				dst[i] = power(gamma*d+coef, int(degree))
			}
		}
	case "sigmoid":
		coef := a.number("coef0")
		return func(dst, row []float64, vectors Matrix) {
			dots(dst, row, vectors)
			for i, d := range dst {
				dst[i] = math.Tanh(gamma*d + coef)
			}
		}
	}
	a.failf("kernel %s is not supported; supported are linear, poly, rbf, sigmoid", quote(name))
	return nil
}

func dots(dst, row []float64, vectors Matrix) {
	rest := vectors.Data
	for i := range dst {
		dst[i] = dot(row, rest)
		rest = rest[len(row):]
	}
}

// distances fills dst with the squared distances of a row to each support vector.
func distances(dst, row []float64, vectors Matrix) {
	rest := vectors.Data
	for i := range dst {
		sum := 0.0
		for j, v := range rest[:len(row)] {
			d := row[j] - v
			sum += d * d
		}
		dst[i] = sum
		rest = rest[len(row):]
	}
}

// dot multiplies x with as many values of y.
func dot(x, y []float64) float64 {
	sum := 0.0
	y = y[:len(x)] // spares the bounds checks below
	for i, v := range x {
		sum += v * y[i]
	}
	return sum
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

func (s *svc) labels() []any { return s.classes }

func (s *svc) hasProba() bool { return len(s.probA) > 0 }

// pairwise returns libsvm's decision values: one for each pair i < j of
// classes, positive for i.
func (s *svc) pairwise(row []float64, buf *scratch) []float64 {
	similar := sized(&buf.kernel, s.vectors.Rows)
	buf.kernel = similar
	s.kernel(similar, row, s.vectors)
	buf.done += len(s.vectors.Data)
	n := len(s.classes)
	out := sized(&buf.pairs, len(s.intercept))[:0]
	buf.pairs = out
	for i := range n {
		if buf.stopped(n + s.vectors.Rows) {
			return out[:len(s.intercept)] // invalid: the request has stopped
		}
		for j := i + 1; j < n; j++ {
			sum := s.intercept[len(out)]
			sum += s.weigh(similar, j-1, i)
			sum += s.weigh(similar, i, j)
			out = append(out, sum)
		}
	}
	buf.pairs = out
	return out
}

// weigh sums the similarities to a class with one row of coefficients.
func (s *svc) weigh(similar []float64, coef, class int) float64 {
	from, to := s.starts[class], s.starts[class+1]
	offset := coef * s.vectors.Rows
	return dot(similar[from:to], s.dual[offset+from:offset+to])
}

func (s *svc) predict(row []float64, buf *scratch) int {
	if s.breakTies && s.ovr && len(s.classes) > 2 {
		return argmax(s.decision(row, buf))
	}
	votes := sized(&buf.votes, len(s.classes))
	buf.votes = votes
	clear(votes)
	decisions, pair := s.pairwise(row, buf), 0
	for i := range votes {
		for j := i + 1; j < len(votes); j++ {
			if decisions[pair] > 0 {
				votes[i]++
			} else {
				votes[j]++
			}
			pair++
		}
	}
	return argmax(votes)
}

// decision is scikit-learn's decision_function. With one value per class (ovr),
// that value is the votes of the class plus a share of the pairwise values that
// is too small to change the order of the votes.
func (s *svc) decision(row []float64, buf *scratch) []float64 {
	pairs := s.pairwise(row, buf)
	if len(s.classes) == 2 {
		return []float64{-pairs[0]}
	}
	if !s.ovr {
		return pairs
	}
	n := len(s.classes)
	votes, confidence := make([]float64, n), make([]float64, n)
	pair := 0
	for i := range n {
		for j := i + 1; j < n; j++ {
			confidence[i] += pairs[pair]
			confidence[j] -= pairs[pair]
			if pairs[pair] < 0 {
				votes[j]++
			} else {
				votes[i]++
			}
			pair++
		}
	}
	for i, c := range confidence {
		votes[i] += c / (3 * (math.Abs(c) + 1))
	}
	return votes
}

// proba turns each decision value into the probability of one class of a pair by
// Platt scaling (Platt 1999), and couples them to one distribution.
func (s *svc) proba(dst, row []float64, buf *scratch) {
	const least = 1e-7
	n := len(s.classes)
	r := sized(&buf.scores, n*n)
	buf.scores = r
	pair := 0
	decisions := s.pairwise(row, buf)
	for i := range n {
		for j := i + 1; j < n; j++ {
			p := sigmoid(-(decisions[pair]*s.probA[pair] + s.probB[pair]))
			p = min(max(p, least), 1-least)
			r[i*n+j], r[j*n+i] = p, 1-p
			pair++
		}
	}
	buf.kernel = sized(&buf.kernel, n*n+n)
	couple(dst, r, buf)
}

// couple finds the distribution that fits pairwise probabilities best, by the
// second method of Wu, Lin and Weng ("Probability Estimates for Multi-class
// Classification by Pairwise Coupling", JMLR 5, 2004) with libsvm's stopping
// rule. r[i*n+j] is the probability of i given i or j. It needs n*n+n values in
// buf.kernel.
func couple(p, r []float64, buf *scratch) {
	n, room := len(p), buf.kernel
	clear(room)
	q, qp := room[:n*n], room[n*n:]
	for t := range n {
		p[t] = 1 / float64(n)
		for j := range n {
			if j == t {
				continue
			}
			q[t*n+t] += r[j*n+t] * r[j*n+t]
			q[t*n+j] = -r[j*n+t] * r[t*n+j]
		}
	}
	enough := 0.005 / float64(n)
	for range max(100, n) {
		if buf.stopped(4 * n * n) {
			return
		}
		total := 0.0
		for t := range n {
			qp[t] = dot(q[t*n:(t+1)*n], p)
			total += p[t] * qp[t]
		}
		worst := 0.0
		for t := range n {
			worst = max(worst, math.Abs(qp[t]-total))
		}
		if worst < enough {
			return
		}
		for t := range n {
			diff := (total - qp[t]) / q[t*n+t]
			p[t] += diff
			total = (total + diff*(diff*q[t*n+t]+2*qp[t])) / (1 + diff) / (1 + diff)
			for j := range n {
				qp[j] = (qp[j] + diff*q[t*n+j]) / (1 + diff)
				p[j] /= 1 + diff
			}
		}
	}
}

func sigmoid(x float64) float64 {
	if x < 0 {
		e := math.Exp(x)
		return e / (1 + e)
	}
	return 1 / (1 + math.Exp(-x))
}

// argmax returns the first index of the largest value.
func argmax[T int | float64](values []T) int {
	best := 0
	for i, v := range values {
		if v > values[best] {
			best = i
		}
	}
	return best
}

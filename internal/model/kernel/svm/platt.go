// SPDX-License-Identifier: Apache-2.0

package svm

import (
	"math"

	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/vector"
)

// probabilities turns each decision value into the probability of one class of a
// pair by Platt scaling (Platt 1999), and couples them to one distribution.
func (s *svc) probabilities(w *graph.Work, dst, pairs []float64) error {
	const least = 1e-7
	n := s.classes
	r := w.Floats(n * n)
	pair := 0
	for i := range n {
		for j := i + 1; j < n; j++ {
			p := vector.Sigmoid(-(pairs[pair]*s.probA[pair] + s.probB[pair]))
			p = min(max(p, least), 1-least)
			r[i*n+j], r[j*n+i] = p, 1-p
			pair++
		}
	}
	return couple(w, dst, r)
}

// couple finds the distribution that fits pairwise probabilities best, by the
// second method of Wu, Lin and Weng ("Probability Estimates for Multi-class
// Classification by Pairwise Coupling", JMLR 5, 2004) with libsvm's stopping
// rule. r[i*n+j] is the probability of i given i or j.
func couple(w *graph.Work, p, r []float64) error {
	n := len(p)
	q, qp := w.Floats(n*n), w.Floats(n)
	clear(q)
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
		if err := w.Steps(4 * n * n); err != nil {
			return err
		}
		total := 0.0
		for t := range n {
			qp[t] = vector.Dot(q[t*n:(t+1)*n], p)
			total += p[t] * qp[t]
		}
		worst := 0.0
		for t := range n {
			worst = max(worst, math.Abs(qp[t]-total))
		}
		if worst < enough {
			return nil
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
	return nil
}

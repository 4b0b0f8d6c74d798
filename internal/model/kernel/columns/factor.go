// SPDX-License-Identifier: Apache-2.0

package columns

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/vector"
)

// newICA makes FastICA, which has a mean if it whitened the rows.
func newICA(e *fitted.Estimator) graph.Node {
	m := e.Matrix("components_")
	p := &projection{input: e.Input(m.Cols), components: m, zeros: make([]float64, m.Rows)}
	e.Require(m.Rows > 0, "it has no components")
	if e.Get("mean_") != nil {
		p.mean = e.Floats("mean_")
		e.Require(len(p.mean) == m.Cols, "mean_ and components_ do not fit")
	}
	return p
}

// newFactors makes FactorAnalysis. The mean of the factors of a row is a projection of
// it (Barber 2012, Bayesian Reasoning and Machine Learning, 21.2.1), whose matrix B solves
// (I + W C^T) B = W, where C are the components and W those divided by the noise.
func newFactors(e *fitted.Estimator) graph.Node {
	c := e.Matrix("components_")
	p := &projection{input: e.Input(c.Cols), zeros: make([]float64, c.Rows)}
	p.mean = e.Floats("mean_")
	noise := e.Floats("noise_variance_")
	k, d := c.Rows, c.Cols
	e.Require(k > 0 && len(p.mean) == d && len(noise) == d, "mean_, noise_variance_ and components_ do not fit")
	if !e.Work(k) || !e.Work(k*k) || !e.Alloc(8*k*(2*k+2*d)) { // each bounds the next
		return p
	}
	w := vector.Matrix{Rows: k, Cols: d, Data: make([]float64, k*d)}
	left := vector.Matrix{Rows: k, Cols: k, Data: make([]float64, k*k)}
	for i := range k {
		if !e.Work(k * d) {
			return p
		}
		for j, v := range c.Row(i) {
			w.Row(i)[j] = v / noise[j]
		}
		for j := range k {
			for l, v := range w.Row(i) {
				left.Row(i)[j] += v * c.Row(j)[l]
			}
		}
		left.Row(i)[i]++
	}
	solve(e, left, w)
	p.components = w
	return p
}

// solve puts the X of a X = b into b, by Gaussian elimination with the largest pivots.
func solve(e *fitted.Estimator, a, b vector.Matrix) {
	for i := range a.Rows {
		pivot := i
		for r := i; r < a.Rows; r++ {
			if math.Abs(a.Row(r)[i]) > math.Abs(a.Row(pivot)[i]) {
				pivot = r
			}
		}
		e.Require(a.Row(pivot)[i] != 0, "its components are not independent")
		if !e.Work(a.Rows * (a.Cols + b.Cols)) {
			return
		}
		exchange(a.Row(i), a.Row(pivot))
		exchange(b.Row(i), b.Row(pivot))
		for r := range a.Rows {
			if factor := a.Row(r)[i] / a.Row(i)[i]; r != i {
				subtract(a.Row(r), factor, a.Row(i))
				subtract(b.Row(r), factor, b.Row(i))
			}
		}
	}
	for i := range a.Rows {
		for j := range b.Row(i) {
			b.Row(i)[j] /= a.Row(i)[i]
		}
	}
}

func exchange(a, b []float64) {
	for j := range a {
		a[j], b[j] = b[j], a[j]
	}
}

// subtract takes a multiple of b from a.
func subtract(a []float64, factor float64, b []float64) {
	for j, v := range b {
		a[j] -= factor * v
	}
}

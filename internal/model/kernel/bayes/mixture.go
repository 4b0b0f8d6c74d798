// SPDX-License-Identifier: Apache-2.0

package bayes

import (
	"math"
	"slices"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// mixture is what all Gaussian mixtures have.
type mixture struct {
	*chooser
	means vector.Matrix
	add   []float64 // of its likelihood
}

// newMixture makes GaussianMixture (Bishop, "Pattern Recognition and Machine
// Learning", section 9.2).
func newMixture(e *fitted.Estimator) graph.Node {
	m := readMixture(e)
	weights := e.Floats("weights_")
	e.Require(len(weights) == len(m.add), "weights_ does not fit the components")
	if !e.Ok() {
		return m.chooser
	}
	for k, v := range weights {
		m.add[k] += math.Log(v)
	}
	return m.chooser
}

// newBayesianMixture makes BayesianGaussianMixture (Bishop, section 10.2). The
// expectations over its parameters add to each component what no row changes.
func newBayesianMixture(e *fitted.Estimator) graph.Node {
	m := readMixture(e)
	precision, weights := e.Floats("mean_precision_"), logWeights(e, len(m.add))
	freedom := freedoms(e, len(m.add))
	e.Require(len(precision) == len(m.add), "mean_precision_ does not fit the components")
	if !e.Ok() || !e.Work(len(m.means.Data)) {
		return m.chooser
	}
	n := float64(m.means.Cols)
	for k := range m.add {
		lambda := n * math.Ln2
		for i := range m.means.Cols {
			lambda += digamma((freedom[k] - float64(i)) / 2)
		}
		m.add[k] += weights[k] - n*math.Log(freedom[k])/2 + (lambda-n/precision[k])/2
	}
	return m.chooser
}

// freedoms returns the degrees of freedom of each of n components. Those that share a
// covariance have one number.
func freedoms(e *fitted.Estimator, n int) []float64 {
	if _, ok := e.Get("degrees_of_freedom_").(float64); ok && e.Alloc(8*n) {
		return slices.Repeat([]float64{e.Number("degrees_of_freedom_")}, n)
	}
	all := e.Floats("degrees_of_freedom_")
	e.Require(len(all) == n, "degrees_of_freedom_ does not fit the components")
	return all
}

// logWeights returns the expected logarithms of the components' weights.
func logWeights(e *fitted.Estimator, n int) []float64 {
	if !e.Alloc(8 * n) {
		return nil
	}
	out := make([]float64, n)
	if e.Text("dirichlet_process", "weight_concentration_prior_type") != "dirichlet_process" {
		concentration, sum := e.Floats("weight_concentration_"), 0.0
		e.Require(len(concentration) == n, "weight_concentration_ does not fit the components")
		for _, v := range concentration {
			sum += v
		}
		for k, v := range concentration[:min(n, len(concentration))] {
			out[k] = digamma(v) - digamma(sum)
		}
		return out
	}
	pair := e.Matrices("weight_concentration_")
	if len(pair) != 2 || len(pair[0].Data) != n || len(pair[1].Data) != n {
		e.Failf("weight_concentration_ does not fit the components")
		return nil
	}
	before := 0.0 // of the components so far
	for k, a := range pair[0].Data {
		b := pair[1].Data[k]
		sum := digamma(a + b)
		out[k] = digamma(a) - sum + before
		before += digamma(b) - sum
	}
	return out
}

// readMixture reads the distributions of the components.
func readMixture(e *fitted.Estimator) mixture {
	means := e.Matrix("means_")
	if !e.Alloc((8 + slotCost) * means.Rows) {
		return mixture{chooser: &chooser{}}
	}
	labels := make([]any, means.Rows)
	for k := range labels {
		labels[k] = int64(k)
	}
	e.Require(means.Rows > 0, "it has no components")
	m := mixture{newChooser(e, means.Cols, graph.Labels(frame.Int64, labels)), means, nil}
	switch kind := e.Text("full", "covariance_type"); kind {
	case "full", "tied":
		m.rotated(e, kind == "tied")
	case "diag", "spherical":
		m.axes(e, kind == "spherical")
	default:
		e.Failf("covariance_type %s is not supported", pickle.Quote(kind))
	}
	for k := range m.add {
		m.add[k] -= float64(means.Cols) * math.Log(2*math.Pi) / 2
	}
	return m
}

const slotCost = 64 // of a label

// rotated reads Cholesky factors of the precisions: one for all components, or one
// for each.
func (m *mixture) rotated(e *fitted.Estimator, tied bool) {
	arr, cols := e.Array("precisions_cholesky_"), m.means.Cols
	data := e.Floats("precisions_cholesky_")
	count := m.means.Rows
	if tied {
		count = 1
	}
	e.Require(len(arr.Shape) == 3 && !tied || len(arr.Shape) == 2 && tied, "precisions_cholesky_ has another number of dimensions")
	e.Require(cols > 0 && len(data)/cols/cols == count && len(data) == count*cols*cols, "precisions_cholesky_ does not fit the components")
	if !e.Alloc(8*len(data) + slotCost*m.means.Rows) {
		return
	}
	var standard []vector.Matrix
	var logs []float64
	for k := range count {
		factor := vector.Matrix{Rows: cols, Cols: cols, Data: data[k*cols*cols : (k+1)*cols*cols]}
		log := 0.0
		for j := range cols {
			log += math.Log(factor.Row(j)[j])
		}
		standard, logs = append(standard, factor.Transpose()), append(logs, log)
	}
	for len(standard) < m.means.Rows {
		standard, logs = append(standard, standard[0]), append(logs, logs[0])
	}
	r := newRotated(e, m.means, standard)
	copy(r.add, logs)
	m.likelihood, m.add = r, r.add
}

// axes reads the square roots of the precisions of each feature, or of all.
func (m *mixture) axes(e *fitted.Estimator, spherical bool) {
	roots, rows, cols := e.Floats("precisions_cholesky_"), m.means.Rows, m.means.Cols
	want := rows * cols
	if spherical {
		want = rows
	}
	e.Require(len(roots) == want, "precisions_cholesky_ does not fit the components")
	if !e.Alloc(8 * (len(m.means.Data) + rows)) {
		return
	}
	a := &axes{means: m.means, precision: m.means, add: make([]float64, rows)}
	a.precision.Data = make([]float64, rows*cols)
	for i := range a.precision.Data {
		root := roots[i*len(roots)/len(a.precision.Data)]
		a.precision.Data[i] = root * root
		a.add[i/cols] += math.Log(root)
	}
	m.likelihood, m.add = a, a.add
}

// digamma is the logarithmic derivative of the gamma function, for x > 0, by its
// recurrence and asymptotic series (Abramowitz and Stegun, 6.3.5 and 6.3.18).
func digamma(x float64) float64 {
	if !(x > 0) {
		return math.NaN()
	}
	out := 0.0
	for ; x < 10; x++ {
		out -= 1 / x
	}
	y := 1 / (x * x)
	series := y * (1./12 - y*(1./120-y*(1./252-y*(1./240-y*(1./132-y*691./32760)))))
	return out + math.Log(x) - 1/(2*x) - series
}

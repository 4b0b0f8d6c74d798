// SPDX-License-Identifier: Apache-2.0

package bayes

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/vector"
)

// axes is the likelihood of normal distributions whose features do not depend on each
// other.
type axes struct {
	means     vector.Matrix // of each class
	precision vector.Matrix // 1 / variance
	add       []float64     // what does not depend on the row
}

func (a *axes) logs(w *graph.Work, dst []float64, x frame.Frame) error {
	classes := len(a.add)
	for i := range x.Rows {
		row := x.Row(i)
		for k, add := range a.add {
			means, precision, sum := a.means.Row(k)[:len(row)], a.precision.Row(k)[:len(row)], 0.0
			for j, v := range row {
				d := v - means[j]
				sum += d * d * precision[j]
			}
			dst[i*classes+k] = add - sum/2
		}
		if err := w.Steps(2 * len(a.means.Data)); err != nil {
			return err
		}
	}
	return nil
}

// newGaussian makes GaussianNB.
func newGaussian(e *fitted.Estimator) graph.Node {
	means, variance := e.Matrix("theta_"), e.Matrix("var_", "sigma_")
	c := newChooser(e, means.Cols, e.Labels())
	prior := e.Floats("class_prior_")
	e.Require(means.Rows == c.classes && len(prior) == c.classes, "theta_ and class_prior_ do not fit the classes")
	e.Require(variance.Rows == c.classes && variance.Cols == means.Cols, "var_ does not fit theta_")
	if !e.Alloc(8 * (len(variance.Data) + c.classes)) {
		return c
	}
	a := &axes{means: means, precision: variance, add: make([]float64, c.classes)}
	a.precision.Data = make([]float64, len(variance.Data))
	for i, v := range variance.Data {
		a.precision.Data[i] = 1 / v
	}
	for k := range a.add {
		for _, v := range variance.Row(k) {
			a.add[k] += math.Log(2 * math.Pi * v)
		}
		a.add[k] = math.Log(prior[k]) - a.add[k]/2
	}
	c.likelihood = a
	return c
}

// rotated is the likelihood of normal distributions of any covariance: the rows are
// centered and multiplied with a matrix, after which all features are standard.
type rotated struct {
	means    vector.Matrix   // of each class
	standard []vector.Matrix // of each class; a row makes one of the new features
	add      []float64
	zeros    []float64
}

// newRotated takes the means and matrices of a file.
func newRotated(e *fitted.Estimator, means vector.Matrix, standard []vector.Matrix) *rotated {
	r := &rotated{means: means, standard: standard, add: make([]float64, means.Rows)}
	e.Require(len(standard) == means.Rows, "its covariances do not fit the means")
	most := 0
	for _, m := range standard {
		e.Require(m.Cols == means.Cols, "its covariances do not fit the features")
		most = max(most, m.Rows)
	}
	if e.Alloc(8 * most) {
		r.zeros = make([]float64, most)
	}
	e.Wide(most)
	return r
}

func (r *rotated) logs(w *graph.Work, dst []float64, x frame.Frame) error {
	classes := len(r.add)
	mark := w.Mark()
	defer w.Release(mark)
	centered, made := w.Dense(x.Rows, x.Cols), w.Floats(x.Rows*len(r.zeros))
	for k, add := range r.add {
		mean, m := r.means.Row(k), r.standard[k]
		for i := range x.Rows {
			row := centered.Row(i)
			for j, v := range x.Row(i) {
				row[j] = v - mean[j]
			}
		}
		if err := graph.Product(w, made[:x.Rows*m.Rows], centered, m, r.zeros); err != nil {
			return err
		}
		for i := range x.Rows {
			row := made[i*m.Rows : (i+1)*m.Rows]
			dst[i*classes+k] = add - vector.Dot(row, row)/2
		}
		if err := w.Steps(2 * len(centered.Data)); err != nil {
			return err
		}
	}
	return nil
}

// newQuadratic makes QuadraticDiscriminantAnalysis (Hastie, Tibshirani and Friedman,
// "The Elements of Statistical Learning", equation 4.12).
func newQuadratic(e *fitted.Estimator) graph.Node {
	means, rotations, scalings := e.Matrix("means_"), e.Matrices("rotations_"), e.Matrices("scalings_")
	c := newChooser(e, means.Cols, e.Labels())
	priors := e.Floats("priors_")
	e.Require(means.Rows == c.classes && len(priors) == c.classes, "means_ and priors_ do not fit the classes")
	e.Require(len(rotations) == c.classes && len(scalings) == c.classes, "rotations_ and scalings_ do not fit the classes")
	var standard []vector.Matrix
	for k, m := range rotations {
		e.Require(k < len(scalings) && m.Cols == len(scalings[k].Data), "scalings_ does not fit rotations_")
		if !e.Alloc(8 * len(m.Data)) {
			return c
		}
		m = m.Transpose()
		for j, s := range scalings[k].Data {
			row, scale := m.Row(j), 1/math.Sqrt(s)
			for i := range row {
				row[i] *= scale
			}
		}
		standard = append(standard, m)
	}
	if !e.Alloc(8 * means.Rows) {
		return c
	}
	r := newRotated(e, means, standard)
	if !e.Ok() {
		return c
	}
	for k := range r.add {
		for _, s := range scalings[k].Data {
			r.add[k] += math.Log(s)
		}
		r.add[k] = math.Log(priors[k]) - r.add[k]/2
	}
	c.Outputs[frame.DecisionFunction] = graph.Decisions(c.classes)
	c.likelihood = r
	return c
}

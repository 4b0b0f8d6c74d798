// SPDX-License-Identifier: Apache-2.0

// Package bayes has the estimators that compare likelihoods: naive Bayes, quadratic
// discriminant analysis and Gaussian mixtures.
//
// Each has a likelihood, which makes a logarithm for each class of each row. The rest
// is the same for all: predict takes the largest one, and predict_proba makes them
// sum to 1.
package bayes

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/vector"
)

// Classes are the estimators of this package.
var Classes = fitted.Classes{
	"sklearn.discriminant_analysis.QuadraticDiscriminantAnalysis": newQuadratic,

	"sklearn.mixture.BayesianGaussianMixture": newBayesianMixture,
	"sklearn.mixture.GaussianMixture":         newMixture,

	"sklearn.naive_bayes.BernoulliNB":   newBernoulli,
	"sklearn.naive_bayes.CategoricalNB": newCategorical,
	"sklearn.naive_bayes.ComplementNB":  newComplement,
	"sklearn.naive_bayes.GaussianNB":    newGaussian,
	"sklearn.naive_bayes.MultinomialNB": newMultinomial,
}

// likelihood makes the logarithm of a likelihood, up to a constant, for each class of
// each row.
type likelihood interface {
	logs(w *graph.Work, dst []float64, x frame.Frame) error
}

// chooser compares the likelihoods of classes or components.
type chooser struct {
	input graph.Input
	graph.Outputs
	likelihood
	classes int
}

// newChooser makes one that answers with labels. The caller adds its likelihood.
func newChooser(e *fitted.Estimator, width int, labels frame.Output) *chooser {
	c := &chooser{input: e.Input(width)}
	if e.Ok() {
		c.classes = len(labels.Classes[0])
		c.Outputs = graph.Outputs{labels, graph.List(c.classes)}
		e.Wide(c.classes)
	}
	return c
}

func (c *chooser) Input() *graph.Input { return &c.input }

func (c *chooser) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	logs := dst
	if m == frame.Predict || c.Outputs[m].Width != c.classes {
		logs = w.Floats(x.Rows * c.classes)
	}
	if err := c.logs(w, logs, x); err != nil {
		return err
	}
	for i := range x.Rows {
		row := logs[i*c.classes : (i+1)*c.classes]
		switch m {
		case frame.Predict:
			dst[i] = float64(vector.Argmax(row))
		case frame.PredictProba:
			likely(row)
		case frame.DecisionFunction:
			if c.Outputs[m].Flat {
				dst[i] = row[1] - row[0]
			}
		}
	}
	const exp = 20 // steps
	return w.Steps(exp * len(logs))
}

// likely turns the logarithms of likelihoods into probabilities. It rounds the logarithm
// of their sum as scikit-learn does: the probabilities of two models, which a
// OneVsRestClassifier compares, are both 1 then, and not 1 and a bit less.
func likely(logs []float64) {
	highest, sum := logs[vector.Argmax(logs)], 0.0
	for _, v := range logs {
		sum += math.Exp(v - highest)
	}
	total := highest + math.Log(sum)
	for k, v := range logs {
		logs[k] = math.Exp(v - total)
	}
}

// linear is a likelihood that is a product.
type linear struct {
	coef vector.Matrix
	add  []float64
}

func (l *linear) logs(w *graph.Work, dst []float64, x frame.Frame) error {
	return graph.Product(w, dst, x, l.coef, l.add)
}

// newMultinomial makes MultinomialNB (Manning, Raghavan and Schütze, "Introduction to
// Information Retrieval", section 13.2).
func newMultinomial(e *fitted.Estimator) graph.Node {
	c, l := newDiscrete(e)
	l.add = e.Floats("class_log_prior_")
	return c.with(e, l)
}

// newComplement makes ComplementNB (Rennie et al. 2003). Its prior matters for a sole
// class only.
func newComplement(e *fitted.Estimator) graph.Node {
	c, l := newDiscrete(e)
	if c.classes == 1 {
		l.add = e.Floats("class_log_prior_")
	} else if e.Alloc(8 * c.classes) {
		l.add = make([]float64, c.classes)
	}
	return c.with(e, l)
}

func newDiscrete(e *fitted.Estimator) (*chooser, *linear) {
	l := &linear{coef: e.Matrix("feature_log_prob_")}
	c := newChooser(e, l.coef.Cols, e.Labels())
	c.input.Sparse = true
	return c, l
}

func (c *chooser) with(e *fitted.Estimator, l *linear) graph.Node {
	e.Require(l.coef.Rows == c.classes && len(l.add) == c.classes, "its probabilities do not fit the classes")
	c.likelihood = l
	return c
}

// bernoulli is BernoulliNB (Manning, Raghavan and Schütze, section 13.3): a feature
// that is absent counts too.
type bernoulli struct {
	linear
	binarize  bool
	threshold float64
}

func newBernoulli(e *fitted.Estimator) graph.Node {
	c, l := newDiscrete(e)
	b := &bernoulli{binarize: e.Get("binarize") != nil}
	if b.binarize {
		b.threshold = e.Number("binarize")
		c.input.Sparse = b.threshold >= 0 // else a 0 becomes a 1
	}
	prior := e.Floats("class_log_prior_")
	e.Require(l.coef.Rows == c.classes && len(prior) == c.classes, "its probabilities do not fit the classes")
	if !e.Alloc(8 * (len(l.coef.Data) + len(prior))) {
		return c
	}
	b.coef = vector.Matrix{Rows: l.coef.Rows, Cols: l.coef.Cols, Data: make([]float64, len(l.coef.Data))}
	for i := range b.coef.Rows {
		row, absent := b.coef.Row(i), 0.0
		for j, v := range l.coef.Row(i) {
			no := math.Log(1 - math.Exp(v))
			absent += no
			row[j] = v - no
		}
		b.add = append(b.add, prior[i]+absent)
	}
	c.likelihood = b
	return c
}

func (b *bernoulli) logs(w *graph.Work, dst []float64, x frame.Frame) error {
	if !b.binarize {
		return b.linear.logs(w, dst, x)
	}
	bits := w.Floats(len(x.Data))
	for i, v := range x.Data {
		bits[i] = 0
		if v > b.threshold {
			bits[i] = 1
		}
	}
	x.Data = bits
	return b.linear.logs(w, dst, x)
}

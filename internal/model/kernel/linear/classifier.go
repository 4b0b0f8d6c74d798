// SPDX-License-Identifier: Apache-2.0

package linear

import (
	"math"
	"strings"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// classifier decides for a class. Two classes share one row of coefficients.
type classifier struct {
	weights
	graph.Outputs
	// likely turns the scores of a row into a probability for each class. They may
	// lie in the same memory. It is nil if there are no probabilities.
	likely func(dst, scores []float64)
	// least is the score from which on a sole one is for the second class.
	least float64
}

// newPlain makes a classifier without probabilities.
func newPlain(e *fitted.Estimator) graph.Node { return newClassifier(e, e.Labels()) }

func newClassifier(e *fitted.Estimator, labels frame.Output) *classifier {
	l, _ := newWeights(e)
	c := &classifier{weights: l, least: math.SmallestNonzeroFloat64}
	if !e.Ok() {
		return c
	}
	classes := len(labels.Classes[0])
	decision := graph.Decisions(classes)
	e.Require(classes >= 2, "it has fewer than two classes")
	e.Require(l.coef.Rows == decision.Width, "coef_ does not fit the classes")
	c.Outputs = graph.Outputs{labels, {}, decision}
	return c
}

// classes is the number of classes that it chooses from.
func (c *classifier) classes() int { return max(2, c.coef.Rows) }

// withProbabilities adds them.
func (c *classifier) withProbabilities(likely func(dst, scores []float64)) *classifier {
	c.likely = likely
	c.Outputs[frame.PredictProba] = graph.List(c.classes())
	return c
}

func (c *classifier) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	n, width, scores := c.coef.Rows, c.Outputs[m].Width, dst
	if n != width {
		scores = w.Floats(x.Rows * n)
	}
	if err := c.scores(w, scores, x); err != nil || m == frame.DecisionFunction {
		return err
	}
	for i := range x.Rows {
		row, out := scores[i*n:(i+1)*n], dst[i*width:(i+1)*width]
		switch {
		case m == frame.PredictProba:
			c.likely(out, row)
		case width == n:
			c.apart(out, row)
		default:
			out[0] = float64(vector.Argmax(row))
		}
	}
	const exp = 20 // steps
	return w.Steps(exp * len(scores))
}

// apart decides on each score alone: the only one, or those of several labels.
func (c *classifier) apart(dst, scores []float64) {
	for j, v := range scores {
		dst[j] = 0
		if v >= c.least {
			dst[j] = 1
		}
	}
}

// newLogistic makes LogisticRegression, whose rule of probabilities depends on the
// version: newton-cholesky fitted one class against the rest until 1.6.
func newLogistic(e *fitted.Estimator) graph.Node {
	c := newClassifier(e, e.Labels())
	solver, version := e.Text("lbfgs", "solver"), e.Version()
	softmax := false
	switch multi := e.Text("auto", "multi_class"); {
	case version >= 108:
		softmax = c.coef.Rows > 1
	case multi == "ovr", multi == "warn": // "warn" and "deprecated" are defaults of some versions
	case multi == "multinomial":
		softmax = true
	case multi == "auto", multi == "deprecated":
		softmax = c.coef.Rows > 1 && solver != "liblinear" && (solver != "newton-cholesky" || version >= 106)
	default:
		e.Failf("multi_class %s is not supported", pickle.Quote(multi))
	}
	switch {
	case !softmax:
		return c.withProbabilities(oneVersusRest)
	case c.coef.Rows == 1:
		return c.withProbabilities(softmaxOfTwo)
	}
	return c.withProbabilities(softmaxOfMany)
}

// oneVersusRest is one independent probability for each class, normalised. If all of
// them are 0, it is NaN.
func oneVersusRest(dst, scores []float64) {
	independent(dst, scores)
	if len(scores) > 1 {
		normalize(dst)
	}
}

// oneVersusRestOrEqual is oneVersusRest as from scikit-learn 1.9 on: classes whose
// probabilities are all 0 are equally likely.
func oneVersusRestOrEqual(dst, scores []float64) {
	independent(dst, scores)
	if len(scores) > 1 {
		ones(dst)
		normalize(dst)
	}
}

// independent is the probability of each class against the rest.
func independent(dst, scores []float64) {
	if len(scores) == 1 {
		p := expit(scores[0])
		dst[0], dst[1] = 1-p, p
		return
	}
	for j, v := range scores {
		dst[j] = expit(v)
	}
}

// normalize makes values sum to 1, or NaN of those that are all 0.
func normalize(values []float64) {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	for j := range values {
		values[j] /= sum
	}
}

// ones replaces values that are all 0.
func ones(values []float64) {
	for _, v := range values {
		if v != 0 {
			return
		}
	}
	for j := range values {
		values[j] = 1
	}
}

// expit is the logistic function, as SciPy rounds it.
func expit(v float64) float64 { return 1 / (1 + math.Exp(-v)) }

// softmaxOfTwo is softmax for scores s and -s.
func softmaxOfTwo(dst, scores []float64) {
	p := vector.Sigmoid(2 * scores[0])
	dst[0], dst[1] = 1-p, p
}

func softmaxOfMany(dst, scores []float64) {
	copy(dst, scores)
	vector.Softmax(dst)
}

// newSGD makes SGDClassifier, which has probabilities for two losses.
func newSGD(e *fitted.Estimator) graph.Node {
	c := newClassifier(e, e.Labels())
	version := e.Version()
	switch loss := e.Text("hinge", "loss"); {
	case loss == "log_loss" && version >= 109:
		return c.withProbabilities(oneVersusRestOrEqual)
	case loss == "log" && version < 103, loss == "log_loss" && version >= 101:
		return c.withProbabilities(oneVersusRest)
	case loss == "modified_huber":
		return c.withProbabilities(modifiedHuber)
	}
	return c
}

// modifiedHuber is the rule of Zhang ("Transforming classifier scores into accurate
// multiclass probability estimates", 2002).
func modifiedHuber(dst, scores []float64) {
	for j, v := range scores {
		dst[len(dst)-len(scores)+j] = (min(max(v, -1), 1) + 1) / 2
	}
	if len(scores) == 1 {
		dst[0] = 1 - dst[1]
		return
	}
	ones(dst)
	normalize(dst)
}

// newOneClass makes SGDOneClassSVM: 1 for an inlier, and -1 for an outlier.
func newOneClass(e *fitted.Estimator) graph.Node {
	coef, _ := coefficients(e, "coef_")
	c := &classifier{weights: weights{e.Input(coef.Cols), coef, nil}}
	c.input.Sparse = true
	for _, v := range intercepts(e, 1, "offset_") {
		c.intercept = append(c.intercept, -v)
	}
	e.Require(coef.Rows == 1, "coef_ is of several outputs")
	c.Outputs = graph.Outputs{graph.Labels(frame.Int32, []any{int64(-1), int64(1)}), {}, graph.One()}
	return c
}

// newRidgeClassifier makes RidgeClassifier. With several labels for a row, each has
// its own decision; before scikit-learn 1.0 the largest one wins.
func newRidgeClassifier(e *fitted.Estimator) graph.Node {
	binarizer := e.Part("_label_binarizer")
	labels := binarizer.Labels()
	kind := binarizer.Text("", "y_type_")
	if !strings.HasPrefix(kind, "multilabel") || e.Version() < 100 {
		return newClassifier(e, labels)
	}
	l, _ := newWeights(e)
	c := &classifier{weights: l, least: math.SmallestNonzeroFloat64}
	flags := e.Flags(l.coef.Rows)
	if !e.Ok() {
		return c
	}
	e.Require(l.coef.Rows == len(labels.Classes[0]), "coef_ does not fit the labels")
	c.Outputs = graph.Outputs{flags, {}, graph.List(l.coef.Rows)}
	return c
}

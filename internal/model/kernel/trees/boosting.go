// SPDX-License-Identifier: Apache-2.0

package trees

import (
	"math"
	"strings"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// boosting is a first guess and the steps of trees that correct it, as in Friedman,
// "Greedy function approximation: a gradient boosting machine" (2001). A row has one
// value, or one for each of three or more classes.
type boosting struct {
	input graph.Input
	answer
	sum[float32]
	first []float64       // the guess for all rows, if there is no init
	init  graph.Predictor // nil for first
	// centered reports whether the logarithms of three or more guessed probabilities are
	// moved to a mean of 0, as from scikit-learn 1.4 on.
	centered bool
	nearly   float64 // the least probability of a guess
}

func newBoostingClassifier(e *fitted.Estimator) graph.Node {
	b := &boosting{answer: newAnswer(e), nearly: 1.0 / (1 << 23)} // float32's epsilon
	if e.Version() >= 104 {
		b.rule, b.centered = notNegative, true
	}
	if e.Version() >= 108 {
		b.nearly = 1.0 / (1 << 52) // float64's
	}
	switch name := loss(e); {
	case name == "ExponentialLoss" && b.classes == 2:
		b.scale, b.rule = 2, notNegative
	case strings.HasPrefix(name, "HalfBinomial"), strings.HasPrefix(name, "HalfMultinomial"), strings.HasSuffix(name, "Deviance"):
	default:
		e.Failf("loss %s is not supported", pickle.Quote(name))
	}
	b.read(e)
	return b
}

// loss returns the name of the class of loss that an estimator was fitted with. The
// parameter may have changed since, which changes no answer.
func loss(e *fitted.Estimator) string { return e.Part("_loss", "loss_").Name() }

func newBoostingRegressor(e *fitted.Estimator) graph.Node {
	b := &boosting{}
	b.Outputs[frame.Predict] = graph.One()
	b.read(e)
	return b
}

func (b *boosting) read(e *fitted.Estimator) {
	stages := e.Array("estimators_")
	b.width = b.raws()
	e.Require(len(stages.Shape) == 2 && stages.Shape[1] == b.width && stages.Kind() == 'O', "its estimators_ do not fit its classes")
	rate := e.Number("learning_rate")
	features := 0
	for i, one := range members(e, stages.Objects) {
		c := newCart(one)
		if i == 0 {
			features = c.features
		}
		e.Require(c.features == features, "its trees have different features")
		t := c.tree(1, []span{{0, 1}})
		if !e.Ok() {
			return
		}
		t.column = i % b.width
		for k := range t.values {
			t.values[k] *= rate
		}
		b.trees = append(b.trees, t)
	}
	b.input = e.Input(features)
	b.input.Single = true
	b.begin(e)
}

// begin reads the first guess.
func (b *boosting) begin(e *fitted.Estimator) {
	b.first = make([]float64, b.width)
	if e.Get("init_") == any("zero") || !e.Ok() {
		return
	}
	dummy, class := e.Part("init_"), ""
	if o, ok := e.Get("init_").(*pickle.Object); ok {
		class = o.Class.Public()
	}
	switch {
	case b.classes > 0 && class == "sklearn.dummy.DummyClassifier" && dummy.Text("", "strategy") == "prior":
		prior := dummy.Floats("class_prior_")
		e.Require(len(prior) == b.classes, "the priors of its init do not fit its classes")
		if e.Ok() {
			b.guess(b.first, prior)
		}
	case b.classes == 0 && class == "sklearn.dummy.DummyRegressor":
		constant := dummy.Floats("constant_")
		e.Require(len(constant) == 1, "its init predicts several outputs")
		if e.Ok() {
			b.first[0] = constant[0]
		}
	default:
		b.ask(e)
	}
}

// ask builds the estimator that makes the first guess. It was fitted on rows that were
// rounded to float32. Those that then compute with float32 round as their libraries do,
// and logarithms show it.
func (b *boosting) ask(e *fitted.Estimator) {
	n := e.Node(e.Get("init_"))
	switch n.(type) {
	case *forest, *boosting, *histogram:
	default:
		if coef, ok := e.Part("init_").Get("coef_").(*pickle.Array); !ok || coef.Size() == 4 {
			e.Failf("an init that computes with float32, as this %s does, is not supported", n.Input().Class)
		}
	}
	if !e.Ok() {
		return
	}
	b.init = e.AsPredictor(n)
	out, ok := b.init.Output(b.method())
	e.Require(n.Input().Width == b.input.Width, "its init has other features")
	e.Require(ok && out.Classes == nil && out.Width == max(b.classes, 1), "its init has no such predictions")
}

// method is what an init is asked for.
func (b *boosting) method() frame.Method {
	if b.classes > 0 {
		return frame.PredictProba
	}
	return frame.Predict
}

// guess turns the probabilities that an init has for a row into raw values.
func (b *boosting) guess(dst, probabilities []float64) {
	if b.width == 1 {
		p := min(max(probabilities[1], b.nearly), 1-b.nearly)
		dst[0] = math.Log(p/(1-p)) / b.scale
		return
	}
	mean := 0.0
	for i, p := range probabilities {
		dst[i] = math.Log(min(max(p, b.nearly), 1-b.nearly))
		mean += dst[i] / float64(len(dst))
	}
	for i := range dst {
		if b.centered {
			dst[i] -= mean
		}
	}
}

func (b *boosting) Input() *graph.Input { return &b.input }

func (b *boosting) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	raw := b.raw(w, m, dst, x.Rows)
	rounded := singles(w, x)
	if err := b.start(w, raw, rounded, &x); err != nil {
		return err
	}
	if err := b.add(w, raw, rounded, x.Cols, holed(x)); err != nil {
		return err
	}
	b.answer.answer(m, dst, raw)
	return nil
}

// start sets the raw values to the first guess.
func (b *boosting) start(w *graph.Work, raw []float64, rounded []float32, x *frame.Frame) error {
	if b.init == nil {
		for i := range raw {
			raw[i] = b.first[i%b.width]
		}
		return nil
	}
	in := w.Dense(x.Rows, x.Cols)
	for i, v := range rounded {
		in.Data[i] = float64(v)
	}
	if b.classes == 0 {
		return graph.Predict(w, b.init, frame.Predict, raw, in)
	}
	p := w.Floats(x.Rows * b.classes)
	if err := graph.Predict(w, b.init, frame.PredictProba, p, in); err != nil {
		return err
	}
	for i := range x.Rows {
		b.guess(raw[i*b.width:(i+1)*b.width], p[i*b.classes:(i+1)*b.classes])
	}
	return nil
}

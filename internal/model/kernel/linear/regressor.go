// SPDX-License-Identifier: Apache-2.0

package linear

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// regressor answers the products, or what the inverse of the link of a generalized
// linear model (Nelder and Wedderburn 1972) makes of them.
type regressor struct {
	weights
	graph.Outputs
	inverse func(float64) float64 // nil for the identity
}

func newRegressor(e *fitted.Estimator) graph.Node {
	l, flat := newWeights(e)
	r := &regressor{weights: l, Outputs: graph.Outputs{graph.List(l.coef.Rows)}}
	if flat {
		r.Outputs[frame.Predict] = graph.One()
	}
	e.Require(l.coef.Rows > 0, "it answers nothing")
	return r
}

func newLinked(inverse func(float64) float64) fitted.Constructor {
	return func(e *fitted.Estimator) graph.Node {
		r, _ := newRegressor(e).(*regressor)
		r.inverse = inverse
		return r
	}
}

// newTweedie reads the link that it was fitted with. The parameters that chose it may
// have changed since, which changes no answer.
func newTweedie(e *fitted.Estimator) graph.Node {
	fit, name := e, "_link_instance" // before 1.1
	if e.Get("_base_loss") != nil {
		fit, name = e.Part("_base_loss"), "link"
	}
	switch link := fit.Part(name).Name(); link {
	case "IdentityLink":
		return newRegressor(e)
	case "LogLink":
		return newLinked(math.Exp)(e)
	default:
		e.Failf("link %s is not supported", pickle.Quote(link))
		return nil
	}
}

func (r *regressor) Predict(w *graph.Work, _ frame.Method, dst []float64, x frame.Frame) error {
	if err := r.scores(w, dst, x); err != nil || r.inverse == nil {
		return err
	}
	for i, v := range dst {
		dst[i] = r.inverse(v)
	}
	return w.Steps(20 * len(dst))
}

// ransac is RANSACRegressor: it asks the regressor that fitted best.
type ransac struct {
	graph.Predictor
	input graph.Input
}

func newRANSAC(e *fitted.Estimator) graph.Node {
	best := e.AsPredictor(e.Node(e.Get("estimator_")))
	r := &ransac{best, *best.Input()}
	out, ok := best.Output(frame.Predict)
	e.Require(ok && out.Classes == nil, "its estimator_ is no regressor")
	if e.Version() >= 100 { // which looks at the rows itself
		r.input = e.Input(r.input.Width)
		r.input.AllowNaN, r.input.AllowInf, r.input.Sparse = true, true, best.Input().Sparse
	}
	return r
}

func (r *ransac) Input() *graph.Input { return &r.input }

func (r *ransac) Output(m frame.Method) (frame.Output, bool) {
	if m != frame.Predict {
		return frame.Output{}, false
	}
	return r.Predictor.Output(m)
}

func (r *ransac) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	return graph.Predict(w, r.Predictor, m, dst, x)
}

// pls is PLSRegression (Wold 1975; the algorithm is NIPALS). It centers the rows, and
// before scikit-learn 1.5 it scales them too.
type pls struct {
	regressor
	mean, scale []float64 // scale is nil when off
}

func newPLS(e *fitted.Estimator) graph.Node {
	coef, version := e.Matrix("coef_", "_coef_"), e.Version()
	if version < 101 {
		coef = transpose(e, coef)
	}
	p := &pls{mean: e.Floats("_x_mean", "x_mean_")}
	if version < 105 {
		p.scale = e.Floats("_x_std", "x_std_")
	}
	p.coef, p.input = coef, e.Input(coef.Cols)
	if version < 101 {
		p.intercept = intercepts(e, coef.Rows, "_y_mean", "y_mean_")
	} else {
		p.intercept = intercepts(e, coef.Rows, "intercept_")
	}
	p.Outputs = graph.Outputs{graph.List(coef.Rows)}
	if e.Flag("_predict_1d") {
		p.Outputs[frame.Predict] = graph.One()
		e.Require(coef.Rows == 1, "its coefficients are of several outputs")
	}
	e.Wide(coef.Rows)
	e.Require(coef.Rows > 0, "it answers nothing")
	e.Require(len(p.mean) == coef.Cols && (p.scale == nil || len(p.scale) == coef.Cols), "its means do not fit the features")
	return p
}

func (p *pls) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	out := w.Dense(x.Rows, x.Cols)
	for i := range x.Rows {
		row := out.Row(i)
		for j, v := range x.Row(i) {
			row[j] = v - p.mean[j]
		}
		for j, v := range p.scale {
			row[j] /= v
		}
	}
	return p.regressor.Predict(w, m, dst, out)
}

// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"math"
	"slices"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// target is TransformedTargetRegressor: what its member predicts is transformed back.
type target struct {
	outer
	inverse []inverse // of each output
	checked bool      // a prediction that is no finite number is an error
}

func newTarget(e *fitted.Estimator) graph.Node {
	p := e.AsPredictor(e.Node(e.Get("regressor_")))
	t := &target{outer: newOuter(e, p)}
	out, _ := p.Output(frame.Predict)
	e.Require(out.Width > 0 && out.Classes == nil, "its regressor_ predicts no numbers")
	dims := e.Int(2, "_training_dim")
	if !e.Ok() || !e.Alloc(64*out.Width) {
		return t
	}
	o, ok := e.Get("transformer_").(*pickle.Object)
	if !ok {
		e.Failf("it has no transformer_")
		return t
	}
	transformer := e.Part("transformer_")
	t.inverse = inverses(transformer, o.Class, out.Width)
	t.checked = o.Class.Name == "FunctionTransformer" && transformer.Flag("validate")
	e.Require(len(t.inverse) == out.Width, "its transformer_ has other outputs")
	t.Outputs[frame.Predict] = graph.List(out.Width)
	if dims == 1 && out.Width == 1 || out.Flat && dims < 2 {
		t.Outputs[frame.Predict] = graph.One()
	}
	return t
}

func (t *target) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	if err := graph.Predict(w, t.members[0], m, dst, x); err != nil {
		return err
	}
	if t.checked && !vector.Within(dst, math.MaxFloat64) {
		return errNotFinite
	}
	for i, v := range dst {
		dst[i] = t.inverse[i%len(t.inverse)](v)
	}
	return w.Steps(20 * len(dst))
}

// inverse is that of one column.
type inverse = func(float64) float64

// inverses returns the inverse of a transformer, for each of n columns.
func inverses(e *fitted.Estimator, class *pickle.Global, n int) []inverse {
	switch class.Name {
	case "FunctionTransformer":
		return slices.Repeat([]inverse{function(e)}, n)
	case "StandardScaler":
		return standard(e, n)
	case "RobustScaler":
		return lines(optional(e, "scale_", n, 1), optional(e, "center_", n, 0))
	case "MaxAbsScaler":
		return lines(optional(e, "scale_", n, 1), optional(e, "", n, 0))
	case "MinMaxScaler":
		e.Require(!e.Flag("clip"), "a MinMaxScaler that clips its target is not supported")
		scale, least := optional(e, "scale_", n, 1), optional(e, "min_", n, 0)
		return each(n, func(i int) inverse {
			return func(v float64) float64 { return (v - least[i]) / scale[i] }
		})
	case "PowerTransformer":
		return powers(e, n)
	case "QuantileTransformer":
		return quantiles(e, n)
	}
	e.Failf("the inverse of %s is not supported", class.Name)
	return nil
}

// each returns one inverse for each column.
func each(n int, of func(i int) inverse) []inverse {
	all := make([]inverse, n)
	for i := range all {
		all[i] = of(i)
	}
	return all
}

// standard is the inverse of StandardScaler.
func standard(e *fitted.Estimator, n int) []inverse {
	mean, scale := "mean_", "scale_"
	if e.Get("with_mean") == any(false) {
		mean = ""
	}
	if e.Get("with_std") == any(false) {
		scale = ""
	}
	return lines(optional(e, scale, n, 1), optional(e, mean, n, 0))
}

// powers are the inverses of PowerTransformer (Box and Cox 1964; Yeo and Johnson 2000).
func powers(e *fitted.Estimator, n int) []inverse {
	lambdas := e.Floats("lambdas_")
	e.Require(len(lambdas) == n, "its transformer_ has other outputs")
	of := yeoJohnsonInverse
	switch method := e.Text("yeo-johnson", "method"); method {
	case "yeo-johnson":
	case "box-cox":
		of = boxCoxInverse
	default:
		e.Failf("method %s is not supported", pickle.Quote(method))
	}
	before := slices.Repeat([]inverse{func(v float64) float64 { return v }}, n)
	if e.Flag("standardize") {
		before = standard(e.Part("_scaler"), n)
	}
	if !e.Ok() {
		return nil
	}
	return each(n, func(i int) inverse {
		return func(v float64) float64 { return of(before[i](v), lambdas[i]) }
	})
}

func boxCoxInverse(v, lambda float64) float64 {
	if lambda == 0 {
		return math.Exp(v)
	}
	return math.Pow(v*lambda+1, 1/lambda)
}

func yeoJohnsonInverse(v, lambda float64) float64 {
	sign := 1.0
	if v < 0 { // the mirror image, with the power 2 - lambda
		v, lambda, sign = -v, 2-lambda, -1
	}
	const epsilon = 0x1p-52
	if math.Abs(lambda) < epsilon {
		return sign * math.Expm1(v)
	}
	return sign * (math.Pow(v*lambda+1, 1/lambda) - 1)
}

// quantiles are the inverses of QuantileTransformer.
func quantiles(e *fitted.Estimator, n int) []inverse {
	m, references := e.Matrix("quantiles_"), e.Floats("references_")
	e.Require(m.Cols == n && m.Rows > 0 && m.Rows == len(references), "quantiles_ does not fit the outputs")
	normal := false
	switch name := e.Text("uniform", "output_distribution"); name {
	case "uniform":
	case "normal":
		normal = true
	default:
		e.Failf("output_distribution %s is not supported", pickle.Quote(name))
	}
	if !e.Alloc(8 * len(m.Data)) {
		return nil
	}
	columns := m.Transpose()
	return each(n, func(i int) inverse {
		l := line{x: references, y: columns.Row(i), clip: true}
		if !normal {
			return l.at
		}
		const bound = 1e-7 // of a probability: beyond, the value is the outermost one
		return func(v float64) float64 {
			switch p := math.Erfc(-v/math.Sqrt2) / 2; {
			case p-bound < 0:
				return l.y[0]
			case p+bound > 1:
				return l.y[len(l.y)-1]
			default:
				return l.at(p)
			}
		}
	})
}

// optional reads n numbers, or takes a value for all, if there are none.
func optional(e *fitted.Estimator, name string, n int, value float64) []float64 {
	if name != "" && e.Get(name) != nil {
		all := e.Floats(name)
		e.Require(len(all) == n, name+" does not fit the outputs")
		if e.Ok() {
			return all
		}
	}
	all := make([]float64, n)
	for i := range all {
		all[i] = value
	}
	return all
}

// lines are scale*v + add.
func lines(scale, add []float64) []inverse {
	return each(len(scale), func(i int) inverse {
		return func(v float64) float64 { return v*scale[i] + add[i] }
	})
}

// function returns the inverse of a FunctionTransformer, a ufunc of numpy.
func function(e *fitted.Estimator) func(float64) float64 {
	v := e.Get("inverse_func")
	if v == nil {
		return func(v float64) float64 { return v }
	}
	e.Require(e.Get("inv_kw_args") == nil || len(e.Dict("inv_kw_args")) == 0, "arguments of inverse_func are not supported")
	if g, ok := v.(*pickle.Global); ok {
		if _, call := fitted.Function(g); call != nil {
			return call
		}
	}
	e.Failf("the inverse_func %s is not supported", pickle.Describe(v))
	return nil
}

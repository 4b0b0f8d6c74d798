// SPDX-License-Identifier: Apache-2.0

package columns

import (
	"math"
	"strings"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// functions are the functions of numpy that a FunctionTransformer may have. A file
// only names them.
var functions = map[string]func(float64) float64{
	"abs": math.Abs, "absolute": math.Abs, "fabs": math.Abs,
	"sqrt": math.Sqrt, "cbrt": math.Cbrt,
	"square": func(x float64) float64 { return x * x },
	"exp":    math.Exp, "exp2": math.Exp2, "expm1": math.Expm1,
	"log": math.Log, "log2": math.Log2, "log10": math.Log10, "log1p": math.Log1p,
	"sin": math.Sin, "cos": math.Cos, "tan": math.Tan,
	"arcsin": math.Asin, "arccos": math.Acos, "arctan": math.Atan,
	"sinh": math.Sinh, "cosh": math.Cosh, "tanh": math.Tanh,
	"arcsinh": math.Asinh, "arccosh": math.Acosh, "arctanh": math.Atanh,
	"floor": math.Floor, "ceil": math.Ceil, "trunc": math.Trunc, "rint": math.RoundToEven,
	"negative":   func(x float64) float64 { return -x },
	"reciprocal": func(x float64) float64 { return 1 / x },
	"sign":       sign,
	"deg2rad":    func(x float64) float64 { return x * (math.Pi / 180) },
	"radians":    func(x float64) float64 { return x * (math.Pi / 180) },
	"rad2deg":    func(x float64) float64 { return x * (180 / math.Pi) },
	"degrees":    func(x float64) float64 { return x * (180 / math.Pi) },
}

func sign(x float64) float64 {
	switch {
	case x > 0:
		return 1
	case x < 0:
		return -1
	}
	return x // 0 and NaN; numpy's sign of -0 is 0, which is the same number
}

// function is FunctionTransformer.
type function struct {
	input graph.Input
	call  func(float64) float64 // nil for the identity
}

func newFunction(e *fitted.Estimator) graph.Node {
	f := &function{}
	// Before 1.2 it does not know its width. See graph.Elastic.
	if _, ok := e.Get("n_features_in_").(int64); ok {
		f.input = e.Input(width(e))
	} else {
		f.input = graph.Input{Class: e.Class()}
	}
	if !e.Flag("validate") {
		f.input.AllowNaN, f.input.AllowInf = true, true
	}
	switch v := e.Get("func").(type) {
	case nil:
		f.input.Sparse = true
	case *pickle.Global:
		f.named(e, v)
	default:
		e.Failf("func is %s, which is not supported", pickle.Describe(v))
	}
	return f
}

// named takes a function of numpy.
func (f *function) named(e *fitted.Estimator, g *pickle.Global) {
	args := map[string]any{}
	if e.Get("kw_args") != nil {
		args = e.Dict("kw_args")
	}
	numpy := g.Module == "numpy" || strings.HasPrefix(g.Module, "numpy.")
	switch {
	case numpy && g.Name == "clip":
		f.clip(e, args)
	case !numpy || functions[g.Name] == nil:
		e.Failf("func %s is not supported", g.Public())
	case len(args) > 0:
		e.Failf("kw_args of %s are not supported", g.Public())
	default:
		f.call = functions[g.Name]
	}
}

func (f *function) clip(e *fitted.Estimator, args map[string]any) {
	low, high := math.Inf(-1), math.Inf(1)
	for name, v := range args {
		switch {
		case v == any(pickle.None{}):
		case name == "a_min" || name == "min":
			low = number(e, v, "kw_args")
		case name == "a_max" || name == "max":
			high = number(e, v, "kw_args")
		default:
			e.Failf("kw_args of numpy.clip are not supported")
		}
	}
	// As numpy, which lets the upper bound win, and keeps NaN.
	f.call = func(x float64) float64 { return min(max(x, low), high) }
}

func (f *function) Input() *graph.Input { return &f.input }

func (f *function) Width() int { return f.input.Width }

// SetWidth implements graph.Elastic.
func (f *function) SetWidth(n int) { f.input.Width = n }

// Thin reports whether sparse blocks stay sparse.
func (f *function) Thin() bool { return f.input.Sparse }

func (f *function) Transform(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	if f.call == nil {
		return x, nil
	}
	out := w.Dense(x.Rows, x.Cols)
	for i, v := range x.Data {
		out.Data[i] = f.call(v)
	}
	const steps = 30 // of a call
	return out, w.Steps(steps * len(out.Data))
}

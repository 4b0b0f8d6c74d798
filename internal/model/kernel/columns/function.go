// SPDX-License-Identifier: Apache-2.0

package columns

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

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
	numpy, call := fitted.Function(g)
	switch {
	case numpy && g.Name == "clip":
		f.clip(e, args)
	case call == nil:
		e.Failf("func %s is not supported", g.Public())
	case len(args) > 0:
		e.Failf("kw_args of %s are not supported", g.Public())
	default:
		f.call = call
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

// SPDX-License-Identifier: Apache-2.0

package columns

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// scaler is StandardScaler, MinMaxScaler, MaxAbsScaler and RobustScaler: it
// subtracts, divides, multiplies and adds a value for each column, in this order.
type scaler struct {
	input              graph.Input
	sub, div, mul, add []float64 // nil when off
	clip               bool
	low, high          float64 // the bounds, with clip
}

func newStandard(e *fitted.Estimator) graph.Node {
	s := &scaler{}
	if e.Flag("with_mean") {
		s.sub = e.Floats("mean_")
	}
	if e.Flag("with_std") {
		s.div = e.Floats("scale_")
	}
	return s.finish(e)
}

func newRobust(e *fitted.Estimator) graph.Node {
	s := &scaler{}
	if e.Flag("with_centering") {
		s.sub = e.Floats("center_")
	}
	if e.Flag("with_scaling") {
		s.div = e.Floats("scale_")
	}
	return s.finish(e)
}

func newMaxAbs(e *fitted.Estimator) graph.Node {
	s := &scaler{div: e.Floats("scale_"), clip: e.Flag("clip"), low: -1, high: 1}
	return s.finish(e)
}

func newMinMax(e *fitted.Estimator) graph.Node {
	s := &scaler{mul: e.Floats("scale_"), add: e.Floats("min_"), clip: e.Flag("clip")}
	if s.clip {
		bounds := e.List("feature_range")
		if len(bounds) != 2 {
			e.Failf("feature_range is no pair of numbers")
			return s
		}
		s.low, s.high = number(e, bounds[0], "feature_range"), number(e, bounds[1], "feature_range")
	}
	return s.finish(e)
}

// number returns a value that must be a number.
func number(e *fitted.Estimator, v any, name string) float64 {
	f, ok := pickle.Float(v)
	if !ok {
		e.Failf("%s holds %s", name, pickle.Describe(v))
	}
	return f
}

// width returns the number of features of an estimator that has no array of them.
func width(e *fitted.Estimator) int { return e.Int(math.MaxInt32, "n_features_in_") }

func (s *scaler) finish(e *fitted.Estimator) graph.Node {
	parts := [][]float64{s.sub, s.div, s.mul, s.add}
	n := 0
	for _, p := range parts {
		n = max(n, len(p))
	}
	if n == 0 {
		n = width(e)
	}
	for _, p := range parts {
		e.Require(p == nil || len(p) == n, "its arrays do not fit the features")
	}
	s.input = e.Input(n)
	s.input.AllowNaN = true
	s.input.Sparse = s.sub == nil && s.add == nil
	return s
}

func (s *scaler) Input() *graph.Input { return &s.input }

func (s *scaler) Width() int { return s.input.Width }

// Thin reports whether zeros stay zeros.
func (s *scaler) Thin() bool { return s.input.Sparse }

func (s *scaler) Transform(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	if x.Sparse() {
		return s.sparse(w, x), nil
	}
	out := w.Dense(x.Rows, x.Cols)
	copy(out.Data, x.Data)
	for i := range out.Rows {
		row := out.Row(i)
		for j, v := range s.sub {
			row[j] -= v
		}
		for j, v := range s.div {
			row[j] /= v
		}
		for j, v := range s.mul {
			row[j] *= v
		}
		for j, v := range s.add {
			row[j] += v
		}
	}
	s.bound(out.Data)
	return out, nil
}

func (s *scaler) bound(data []float64) {
	if !s.clip {
		return
	}
	for i, v := range data {
		if v < s.low {
			data[i] = s.low
		} else if v > s.high {
			data[i] = s.high
		}
	}
}

func (s *scaler) sparse(w *graph.Work, x frame.Frame) frame.Frame {
	out := thin(w, x)
	for k, c := range out.Index {
		if s.div != nil {
			out.Data[k] /= s.div[c]
		}
		if s.mul != nil {
			out.Data[k] *= s.mul[c]
		}
	}
	s.bound(out.Data)
	return out
}

// thin returns a copy of a sparse block, whose entries a node may change.
func thin(w *graph.Work, x frame.Frame) frame.Frame {
	from, to := x.Starts[0], x.Starts[x.Rows]
	out := frame.Frame{Rows: x.Rows, Cols: x.Cols, Data: w.Floats(to - from), Starts: w.Ints(x.Rows + 1), Index: w.Indexes(to - from)}
	copy(out.Data, x.Data[from:to])
	copy(out.Index, x.Index[from:to])
	for i, v := range x.Starts[:x.Rows+1] {
		out.Starts[i] = v - from
	}
	return out
}

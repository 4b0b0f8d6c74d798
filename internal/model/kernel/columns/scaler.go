// SPDX-License-Identifier: Apache-2.0

package columns

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
)

// scaler is StandardScaler. Either half may be switched off.
type scaler struct {
	input       graph.Input
	mean, scale []float64 // nil when off
}

func newScaler(e *fitted.Estimator) graph.Node {
	s := &scaler{}
	if e.Flag("with_mean") {
		s.mean = e.Floats("mean_")
	}
	if e.Flag("with_std") {
		s.scale = e.Floats("scale_")
	}
	width := max(len(s.mean), len(s.scale))
	if s.mean == nil && s.scale == nil {
		width = e.Int(math.MaxInt32, "n_features_in_")
	}
	e.Require(s.mean == nil || len(s.mean) == width, "mean_ does not fit the features")
	e.Require(s.scale == nil || len(s.scale) == width, "scale_ does not fit the features")
	s.input = e.Input(width)
	s.input.AllowNaN = true
	return s
}

func (s *scaler) Input() *graph.Input { return &s.input }

func (s *scaler) Width() int { return s.input.Width }

func (s *scaler) Transform(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	out := w.Dense(x.Rows, x.Cols)
	copy(out.Data, x.Data)
	for i := range out.Rows {
		row := out.Row(i)
		for j, v := range s.mean {
			row[j] -= v
		}
		for j, v := range s.scale {
			row[j] /= v
		}
	}
	return out, nil
}

// SPDX-License-Identifier: Apache-2.0

package svm

import (
	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
)

// single answers the one value of a machine, or its sign.
type single struct {
	machine
	graph.Outputs
}

// newRegressor makes SVR and NuSVR (Drucker et al. 1996; Schölkopf et al. 2000).
func newRegressor(e *fitted.Estimator) graph.Node {
	return &single{newSingle(e), graph.Outputs{graph.One()}}
}

// newOneClass makes OneClassSVM (Schölkopf et al. 2001).
func newOneClass(e *fitted.Estimator) graph.Node {
	sides := graph.Labels(frame.Int64, []any{int64(-1), int64(1)})
	return &single{newSingle(e), graph.Outputs{sides, {}, graph.One()}}
}

func (s *single) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	sign := s.Outputs[m].Classes != nil
	return s.each(w, x, func(i int, values []float64) error {
		dst[i] = values[0]
		switch {
		case sign && values[0] > 0:
			dst[i] = 1
		case sign:
			dst[i] = 0
		}
		return nil
	})
}

// SPDX-License-Identifier: Apache-2.0

package svm

import (
	"errors"
	"testing"

	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/vector"
)

// manyClasses is an SVC that takes minutes for one answer.
func manyClasses(classes int) *svc {
	pairs := classes * (classes - 1) / 2
	s := &svc{
		machine: machine{
			input:     graph.Input{Class: "SVC", Schema: frame.Schema{Width: 1}},
			kernel:    kernel{finish: func([]float64) {}},
			vectors:   frame.Dense(classes, 1, make([]float64, classes)),
			nothing:   make([]float64, classes),
			intercept: make([]float64, pairs),
		},
		classes: classes,
		probA:   make([]float64, pairs),
		probB:   make([]float64, pairs),
	}
	weights := make([]float64, classes)
	var labels []any
	for i := range classes {
		labels = append(labels, int64(i))
		s.groups = append(s.groups, group{i, i + 1, vector.Matrix{Rows: classes - 1, Cols: 1, Data: weights[1:]}})
	}
	for i := range pairs {
		s.probB[i] = float64(i % 7)
	}
	s.outputs(graph.Labels(frame.Int64, labels))
	return s
}

func TestPredictionsStopWhenToldTo(t *testing.T) {
	gone := errors.New("gone")
	m := graph.New(manyClasses(3000), "SVC", 1)
	for _, method := range []frame.Method{frame.Predict, frame.PredictProba} {
		asked := 0
		err := m.Predict(func() error {
			if asked++; asked == 3 {
				return gone
			}
			return nil
		}, method, &frame.Result{}, frame.Dense(2, 1, make([]float64, 2)))
		if !errors.Is(err, gone) || asked != 3 {
			t.Errorf("%s: asked %d times: %v", method, asked, err)
		}
	}
}

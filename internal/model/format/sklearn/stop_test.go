// SPDX-License-Identifier: Apache-2.0

package sklearn

import (
	"errors"
	"testing"
)

// manyClasses is an SVC that takes minutes for one answer, and a chain of nodes.
func manyClasses(classes int) *svc {
	pairs := classes * (classes - 1) / 2
	s := &svc{
		input:     input{class: "SVC", features: 1},
		kernel:    dots,
		vectors:   Matrix{Rows: classes, Cols: 1, Data: make([]float64, classes)},
		starts:    []int{0},
		dual:      make([]float64, (classes-1)*classes),
		intercept: make([]float64, pairs),
		probA:     make([]float64, pairs),
		probB:     make([]float64, pairs),
	}
	for i := range classes {
		s.classes = append(s.classes, int64(i))
		s.starts = append(s.starts, i+1)
	}
	for i := range pairs {
		s.probB[i] = float64(i % 7)
	}
	return s
}

func TestPredictionsStopWhenToldTo(t *testing.T) {
	gone := errors.New("gone")
	deep := &tree{nodes: make([]node, 1<<20), leaves: []float64{1}, depth: 1 << 20}
	for i := range deep.nodes {
		deep.nodes[i] = node{left: int32(i + 1), right: int32(i + 1), threshold: 1}
	}
	deep.nodes[len(deep.nodes)-1] = node{left: leaf}
	trees := make([]*tree, 100)
	for i := range trees {
		trees[i] = deep
	}
	one := input{features: 1}
	for name, c := range map[string]classifier{
		"an SVC of thousands of classes": manyClasses(3000),
		"a forest of chains":             &forest{one, trees, []any{int64(0)}},
		"many rows":                      &decisionTree{one, &tree{nodes: []node{{left: leaf}}, leaves: []float64{1}, depth: 1}, []any{int64(0)}},
	} {
		m := &Model{classifier: c, classes: c.labels()}
		x := Matrix{Rows: 1 << 18, Cols: 1, Data: make([]float64, 1<<18)}
		for what, do := range map[string]func(stop func() error) error{
			"classes":       func(stop func() error) error { _, err := m.Predict(stop, nil, x); return err },
			"probabilities": func(stop func() error) error { _, err := m.PredictProba(stop, nil, x); return err },
		} {
			asked := 0
			err := do(func() error {
				if asked++; asked == 3 {
					return gone
				}
				return nil
			})
			if !errors.Is(err, gone) || asked != 3 {
				t.Errorf("%s, %s: asked %d times: %v", name, what, asked, err)
			}
		}
	}
}

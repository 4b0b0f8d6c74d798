// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"github.com/serin-dev/serin/internal/model/frame"
)

// Outputs are what a node answers, by method. It has no method whose Width is 0.
// Predictors embed it.
type Outputs [frame.DecisionFunction + 1]frame.Output

// Output implements Predictor.
func (o *Outputs) Output(m frame.Method) (frame.Output, bool) { return o[m], o[m].Width > 0 }

// One is the output of one number for each row.
func One() frame.Output { return frame.Output{Type: frame.Float64, Width: 1, Flat: true} }

// List is the output of a list of n numbers for each row.
func List(n int) frame.Output { return frame.Output{Type: frame.Float64, Width: n} }

// OneOrList is the output of n numbers for each row, or of one that is no list.
func OneOrList(n int) frame.Output {
	if n == 1 {
		return One()
	}
	return List(n)
}

// Decisions is the output of a decision for each of n classes, or of one for two classes.
func Decisions(n int) frame.Output {
	if n == 2 {
		return One()
	}
	return List(n)
}

// Labels is the output of one label for each row.
func Labels(t frame.Type, labels []any) frame.Output {
	return frame.Output{Type: t, Width: 1, Flat: true, Classes: [][]any{labels}}
}

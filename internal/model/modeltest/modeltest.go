// SPDX-License-Identifier: Apache-2.0

// Package modeltest asks models, for tests.
package modeltest

import (
	"math"
	"testing"

	"github.com/serin-dev/serin/internal/model/frame"
)

// Methods are all methods.
var Methods = []frame.Method{frame.Predict, frame.PredictProba, frame.DecisionFunction}

// Survives asks a model that a stranger made for all that it has, with rows that it
// may refuse. It fails the test if an answer is not what the model's Output says, and
// returns the error of the last refusal.
func Survives(t *testing.T, m frame.Model) (last error) {
	t.Helper()
	const mostWidth = 1 << 16
	schema := m.Schema()
	if schema.Width > mostWidth {
		return nil
	}
	x := rows(schema)
	for _, method := range Methods {
		out, ok := m.Output(method)
		if !ok {
			continue
		}
		var r frame.Result
		if err := m.Predict(nil, method, &r, x); err != nil {
			last = err
			continue
		}
		if r.Rows != x.Rows || len(r.Values) != x.Rows*out.Width {
			t.Fatalf("%s answers %d values for %d rows, want %d for each", method, len(r.Values), x.Rows, out.Width)
		}
		for i, v := range r.Values {
			if out.Classes == nil {
				break
			}
			if labels := out.Classes[i%out.Width]; v != math.Trunc(v) || v < 0 || int(v) >= len(labels) {
				t.Fatalf("%s answers class %v of %d", method, v, len(labels))
			}
		}
	}
	return last
}

// rows are some that a model of this schema takes, as far as that tells.
func rows(schema frame.Schema) frame.Frame {
	x := frame.Dense(6, schema.Width, make([]float64, 6*schema.Width))
	for j := range schema.Width {
		for i, v := range []float64{0, 1, -2.5, 1e30, 3} {
			x.Data[i*x.Cols+j] = v
		}
	}
	if len(schema.Kinds) == 0 {
		return x
	}
	x.Texts = make([]string, len(x.Data))
	for i := range x.Data {
		if schema.Kind(i%x.Cols) != frame.Numbers {
			x.Data[i], x.Texts[i] = frame.Text, "a b"
		}
	}
	return x
}

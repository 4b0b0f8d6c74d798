// SPDX-License-Identifier: Apache-2.0

// Package modeltest asks models, for tests, and changes what files say about them.
//
// Survives asks a model that a stranger made for all that it has. A Mutant is the value
// of a pickle: it changes attributes, items, classes, versions, and elements, types and
// shapes of arrays, and puts containers into themselves.
package modeltest

import (
	"errors"
	"math"
	"testing"

	"github.com/serin-dev/serin/internal/model/frame"
)

// Methods are all methods.
var Methods = []frame.Method{frame.Predict, frame.PredictProba, frame.DecisionFunction}

// errPatience ends a request that takes more than any should.
var errPatience = errors.New("the test stops the request")

// patience returns a way to stop which does so after it was asked often: a few seconds.
func patience() func() error {
	asked := 0
	return func() error {
		if asked++; asked > 500 {
			return errPatience
		}
		return nil
	}
}

// Survives asks a model that a stranger made for all that it has, with rows that it
// may refuse. It fails the test if an answer is not what the model's Output says, and
// returns the error of the last refusal of rows that are numbers.
func Survives(t *testing.T, m frame.Model) (last error) {
	t.Helper()
	const mostWidth = 1 << 16
	schema := m.Schema()
	if schema.Width > mostWidth {
		return nil
	}
	for i, x := range frames(schema) {
		for _, method := range Methods {
			if out, ok := m.Output(method); ok {
				if err := ask(t, m, method, &out, x); err != nil && i == 0 {
					last = err
				}
			}
		}
	}
	return last
}

func ask(t *testing.T, m frame.Model, method frame.Method, out *frame.Output, x frame.Frame) error {
	t.Helper()
	var r frame.Result
	if err := m.Predict(patience(), method, &r, x); err != nil {
		return err
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
	return nil
}

// values are those of the rows: the last are no numbers, which most models refuse.
var values = []float64{0, 1, -2.5, 1e30, 3, math.Copysign(0, -1), 255, 5e-324, math.NaN(), math.Inf(1), math.Inf(-1)}

// texts are those of columns that take them.
var texts = []string{"a b", "", "b", "1", "nan", "\xff", "ä\u0301 A_1 a.b@c x\ufdd0y", "b a b a b a"}

// frames are some that a model of this schema takes, as far as that tells.
func frames(schema frame.Schema) []frame.Frame {
	tame, wild := frame.Dense(6, schema.Width, make([]float64, 6*schema.Width)), frame.Dense(9, schema.Width, make([]float64, 9*schema.Width))
	for j := range schema.Width {
		for i, v := range values[:5] {
			tame.Data[i*tame.Cols+j] = v
		}
		for i := range wild.Rows {
			wild.Data[i*wild.Cols+j] = values[(7*i+3*j)%len(values)]
		}
	}
	single := wild.Slice(0, 1)
	all := []frame.Frame{tame, single, wild}
	if len(schema.Kinds) == 0 {
		return all
	}
	for k := range all {
		x := &all[k]
		x.Texts, x.Data = make([]string, len(x.Data)), append([]float64(nil), x.Data...)
		for i := range x.Data {
			switch {
			case schema.Kind(i%x.Cols) == frame.Numbers:
			case k == len(all)-1 && i%5 == 4:
				x.Data[i] = frame.None
			default:
				x.Data[i], x.Texts[i] = frame.Text, texts[i*k%len(texts)]
			}
		}
	}
	return all
}

// SPDX-License-Identifier: Apache-2.0

package python

import (
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/serin-dev/serin/internal/model/frame"
)

// echo is a model whose answer its first value chooses.
const echo = `
import numpy as np
import pandas as pd
import scipy.sparse

class Echo:
    n_features_in_ = 2
    feature_names_in_ = ["a", "b"]
    def predict(self, x):
        if hasattr(x, "columns"):
            return [f"{type(x).__name__} {list(x.columns)} {list(x.dtypes.astype(str))} {x.values.tolist()}"]
        if isinstance(x, list):
            return [f"{x}"]
        if x.dtype == object:
            return [f"{x.dtype} {x.tolist()}"]
        return answers[int(x[0, 0])]()
    def predict_proba(self, x):
        return [np.array([[0.25, 0.75]]), np.array([[1.0]])]

def wrong(error):
    raise error

answers = [
    lambda: np.array([1, 2], dtype="int32"), lambda: np.array([[1.5, np.nan]], dtype="float32"), lambda: np.array([True, False]),
    lambda: np.array(["a", "ä", "a"]), lambda: np.array([2**60, 1]), lambda: np.array([2**64 - 1], dtype="uint64"), lambda: [1, "x", None, 2.5, float("inf")],
    lambda: pd.DataFrame({"p": [1, 2], "q": [0.5, 1]}), lambda: scipy.sparse.csr_matrix([[0, 3]]), lambda: np.array(["2026-01-02"], dtype="M8[D]"),
    lambda: wrong(ValueError("X has\n3 features")), lambda: wrong(KeyError("a")), lambda: {"a": 1}, lambda: np.zeros((1, 1, 1)), lambda: np.array([]),
    lambda: [{"label": "a"}], lambda: [b"\xff"],
]

def load(folder):
    print("loaded")
    return Echo()
`

func TestAnswersOfARealPython(t *testing.T) {
	environments := os.Getenv("SERIN_PYTHON")
	if environments == "" {
		t.Skip("it needs numpy and pandas: run make python")
	}
	cfg := Config{
		Program: filepath.Join(environments, "kserve", "bin", "python"), Dir: files(t, map[string]string{"model.py": echo}),
		Environments: t.TempDir(), Progress: func(string) {}, Fail: func(err error) { t.Error(err) }, Log: slog.New(slog.DiscardHandler),
	}
	m, err := Load(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	if _, ok := m.Output(frame.PredictProba); !ok || m.Class() != "Echo" || m.Width != 2 {
		t.Errorf("%+v", m.greeting)
	}
	nan := math.NaN()
	text := func(s string) ([]float64, frame.Output) {
		return []float64{0}, frame.Output{Type: frame.Bytes, Width: 1, Flat: true, Classes: [][]any{{s}}}
	}
	flat := func(t frame.Type, labels ...any) frame.Output {
		o := frame.Output{Type: t, Width: 1, Flat: true}
		if len(labels) > 0 {
			o.Classes = [][]any{labels}
		}
		return o
	}
	ask := func(name string, x frame.Frame, values []float64, out frame.Output) {
		t.Helper()
		var r frame.Result
		err := m.Predict(nil, frame.Predict, &r, x)
		out.Open = true
		want := frame.Result{Output: out, Rows: len(values) / out.Width, Values: values}
		if diff := cmp.Diff(want, r, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", name, err, diff)
		}
	}
	for i, test := range []struct {
		values []float64
		out    frame.Output
	}{
		{[]float64{1, 2}, flat(frame.Int32)},
		{[]float64{1.5, nan}, frame.Output{Type: frame.Float32, Width: 2}},
		{[]float64{1, 0}, flat(frame.Bool)},
		{[]float64{0, 1, 0}, flat(frame.Bytes, "a", "ä")},
		{[]float64{0, 1}, flat(frame.Int64, int64(1<<60), int64(1))},
		{[]float64{0}, flat(frame.Uint64, uint64(math.MaxUint64))},
		{[]float64{0, 1, 2, 3, 2}, flat(frame.Bytes, int64(1), "x", nan, 2.5)},
		{[]float64{1, .5, 2, 1}, frame.Output{Type: frame.Float64, Width: 2}},
		{[]float64{0, 3}, frame.Output{Type: frame.Int64, Width: 2}},
		{[]float64{0}, flat(frame.Bytes, "2026-01-02")},
	} {
		ask(string(rune('0'+i)), frame.Dense(1, 1, []float64{float64(i)}), test.values, test.out)
	}
	mixed := frame.Frame{Rows: 1, Cols: 2, Data: []float64{frame.Text, frame.None}, Texts: []string{"ä", ""}}
	values, out := text("object [['ä', None]]")
	ask("strings", mixed, values, out)
	mixed.Names = []string{"b", "a"}
	values, out = text("DataFrame ['a', 'b'] ['object', 'object'] [[None, 'ä']]")
	ask("named columns in another order", mixed, values, out)
	mixed = frame.Frame{Rows: 2, Cols: 2, Data: []float64{frame.None, frame.Text, 1, frame.None}, Texts: []string{"", "ä", "", ""}, Names: []string{"a", "b"}}
	values, out = text("DataFrame ['a', 'b'] ['float64', 'object'] [[nan, 'ä'], [1.0, None]]")
	ask("a missing number and a missing string", mixed, values, out)
	values, out = text("['ä', 'b']")
	ask("single values", frame.Frame{Rows: 2, Cols: 1, Flat: true, Data: []float64{frame.Text, frame.Text}, Texts: []string{"ä", "b"}}, values, out)

	for i, want := range map[int]error{
		10: frame.InputError("X has 3 features"),
		11: errors.New("KeyError : 'a'"),
		12: errors.New("TypeError : predict answers a dict, and not one value or one list of values for each row"),
		13: errors.New("TypeError : predict answers a ndarray, and not one value or one list of values for each row"),
		15: errors.New("TypeError : predict answers a dict for a row, and not one value or one list of values for each row"),
		16: errors.New("UnicodeDecodeError : 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
	} {
		var r frame.Result
		err := m.Predict(nil, frame.Predict, &r, frame.Dense(1, 1, []float64{float64(i)}))
		_, is := errors.AsType[frame.InputError](err)
		if _, should := errors.AsType[frame.InputError](want); err == nil || err.Error() != want.Error() || is != should {
			t.Errorf("%v, want %v", err, want)
		}
	}
	var r frame.Result
	if err := m.Predict(nil, frame.PredictProba, &r, frame.Dense(1, 1, []float64{0})); err != nil || !cmp.Equal(r.Output.Parts, []int{2, 1}) || !cmp.Equal(r.Values, []float64{.25, .75, 1}) {
		t.Errorf("%v, %+v", err, r)
	}
}

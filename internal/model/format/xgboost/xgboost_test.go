// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/modeltest"
)

func read(tb testing.TB, file string) []byte {
	tb.Helper()
	data, err := os.ReadFile("testdata/" + file)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

func load(data []byte) (frame.Model, error) {
	return Load(bytes.NewReader(data), int64(len(data)), budget.Limits{Memory: 64 << 20})
}

// The corpus has no model that XGBoost split by category. These are of XGBoost 3.0.5:
// testdata/train.py made them, and asks for unknown, missing and odd categories.
func TestCategoriesAreAnsweredAsByXGBoost(t *testing.T) {
	var want struct {
		Rows  [][]*float64
		Cases map[string][]float64
	}
	if err := json.Unmarshal(read(t, "answers.json"), &want); err != nil {
		t.Fatal(err)
	}
	var rows []float64
	for _, row := range want.Rows {
		for _, v := range row {
			if v == nil {
				rows = append(rows, math.NaN())
			} else {
				rows = append(rows, *v)
			}
		}
	}
	for file, want := range want.Cases {
		m, err := load(read(t, file))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		x := frame.Dense(len(rows)/3, 3, rows)
		if m.Schema().Width == 1 { // the column of numbers
			x = frame.Dense(x.Rows, 1, nil)
			for i := range x.Rows {
				x.Data = append(x.Data, rows[3*i+1])
			}
		}
		var got frame.Result
		if err := m.Predict(nil, frame.Predict, &got, x); err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		for i, v := range got.Values {
			if math.Abs(v-want[i]) > 1e-6*max(1, math.Abs(want[i])) {
				t.Errorf("%s, row %d: %v, want %v", file, i/got.Output.Width, v, want[i])
			}
		}
	}
}

func TestValuesThatASparseRowDoesNotHaveAreMissing(t *testing.T) {
	m, err := load(read(t, "partition.ubj"))
	if err != nil {
		t.Fatal(err)
	}
	nan := math.NaN()
	sparse := frame.Frame{Rows: 2, Cols: 3, Data: []float64{7, 0, 3}, Index: []int32{0, 2, 2}, Starts: []int{0, 2, 3}}
	var got, want frame.Result
	if err := m.Predict(nil, frame.Predict, &got, sparse); err != nil {
		t.Fatal(err)
	}
	if err := m.Predict(nil, frame.Predict, &want, frame.Dense(2, 3, []float64{7, nan, 0, nan, nan, 3})); err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(got.Values, want.Values) {
		t.Errorf("%v, want %v", got.Values, want.Values)
	}
}

// The answers are those of XGBoost 3.4.1, and of 3.3.0 for its file.
func TestSumsOfSeveralOutputsAnswerAsXGBoostDoes(t *testing.T) {
	const file = `{"learner":{"gradient_booster":{"model":{"weights":[1,-1,2,3]},"name":"gblinear"},"learner_model_param":{"base_score":"[2E-1,5E-1]",` +
		`"num_class":"0","num_feature":"1","num_target":"2"},"objective":{"name":"reg:quantileerror"}},"version":[3,4,1]}`
	for version, want := range map[string][]float64{"[3,4,1]": {2.2, 3.2, -0.8, 6.2}, "[3,3,0]": {2.2, 3.2, 6.2, -0.8}} {
		m, err := load([]byte(strings.Replace(file, "[3,4,1]", version, 1)))
		if err != nil {
			t.Fatal(err)
		}
		var got frame.Result
		if err := m.Predict(nil, frame.Predict, &got, frame.Dense(2, 1, []float64{0, 4})); err != nil {
			t.Fatal(err)
		}
		for i, v := range got.Values {
			if math.Abs(v-want[i]) > 1e-6 {
				t.Errorf("%s, value %d: %v, want %v", version, i, v, want[i])
			}
		}
	}
}

// FuzzLoad looks for files that crash the reader, or a model that crashes when it
// predicts.
func FuzzLoad(f *testing.F) {
	for _, file := range []string{"partition.ubj", "onehot.json", "soft.ubj", "dart.json", "aft.json"} {
		f.Add(read(f, file))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := load(data); err == nil {
			_ = modeltest.Survives(t, m)
		}
	})
}

func TestFilesOfNewerVersionsGetARemark(t *testing.T) {
	if got := (&model{version: newest}).remarks(); got != nil {
		t.Errorf("the newest version: %q", got)
	}
	want := []string{"the file was saved by XGBoost 3.5, and Serin was compared with versions up to 3.4: it answers as that one does"}
	if got := (&model{version: newest + 1}).remarks(); !slices.Equal(got, want) {
		t.Errorf("the next one: %q, want %q", got, want)
	}
}

// SPDX-License-Identifier: Apache-2.0

package sklearn

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/frame"
)

// expected is what testdata/train.py writes beside a model.
type expected struct {
	Inputs        [][]*float64
	Classes       []any
	Labels        []any
	Probabilities [][]float64
	Decisions     json.RawMessage
}

func (e *expected) frame() frame.Frame {
	x := frame.Dense(len(e.Inputs), len(e.Inputs[0]), nil)
	for _, row := range e.Inputs {
		for _, v := range row {
			if v == nil {
				x.Data = append(x.Data, math.NaN())
			} else {
				x.Data = append(x.Data, *v)
			}
		}
	}
	return x
}

// decisions returns one row per sample, also where scikit-learn gives a number.
func (e *expected) decisions(t *testing.T) [][]float64 {
	t.Helper()
	if e.Decisions == nil {
		return nil
	}
	var rows [][]float64
	if json.Unmarshal(e.Decisions, &rows) == nil {
		return rows
	}
	var values []float64
	if err := json.Unmarshal(e.Decisions, &values); err != nil {
		t.Fatal(err)
	}
	rows = nil
	for _, v := range values {
		rows = append(rows, []float64{v})
	}
	return rows
}

// fixtures lists the model files that scikit-learn answered for.
func fixtures(tb testing.TB) []string {
	tb.Helper()
	var files []string
	for _, ext := range []string{"joblib", "pkl", "pickle"} {
		found, err := filepath.Glob("testdata/sklearn-*/*." + ext)
		if err != nil {
			tb.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		tb.Fatal("no fixtures in testdata")
	}
	return files
}

func read(tb testing.TB, file string) []byte {
	tb.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	return data
}

// parse loads a model, and does not recover from a panic.
func parse(data []byte, limits budget.Limits) (frame.Model, error) {
	return Load(bytes.NewReader(data), int64(len(data)), limits)
}

func load(tb testing.TB, file string) frame.Model {
	tb.Helper()
	m, err := parse(read(tb, file), budget.DefaultLimits)
	if err != nil {
		tb.Fatalf("load %s: %v", file, err)
	}
	return m
}

// plain turns labels into what JSON makes of them.
func plain(labels []any) []any {
	out := make([]any, len(labels))
	for i, l := range labels {
		out[i] = l
		if n, ok := l.(int64); ok {
			out[i] = float64(n)
		}
	}
	return out
}

func TestModelsAnswerAsScikitLearnDoes(t *testing.T) {
	for _, file := range fixtures(t) {
		t.Run(strings.TrimPrefix(file, "testdata/"), func(t *testing.T) {
			var want expected
			if err := json.Unmarshal(read(t, strings.TrimSuffix(file, filepath.Ext(file))+".json"), &want); err != nil {
				t.Fatal(err)
			}
			m := load(t, file)
			out, _ := m.Output(frame.Predict)
			if diff := cmp.Diff(want.Classes, plain(out.Classes[0])); diff != "" {
				t.Errorf("classes (-want +got):\n%s", diff)
			}
			var labels []any
			for _, row := range ask(t, m, frame.Predict, want.frame()) {
				labels = append(labels, out.Label(0, row[0]))
			}
			if diff := cmp.Diff(want.Labels, plain(labels)); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
			probabilities := ask(t, m, frame.PredictProba, want.frame())
			if diff := cmp.Diff(want.Probabilities, probabilities, cmpopts.EquateApprox(0, 1e-6)); diff != "" {
				t.Errorf("probabilities (-want +got):\n%s", diff)
			}
			decisions := ask(t, m, frame.DecisionFunction, want.frame())
			if diff := cmp.Diff(want.decisions(t), decisions, cmpopts.EquateApprox(1e-9, 1e-9)); diff != "" {
				t.Errorf("decisions (-want +got):\n%s", diff)
			}
		})
	}
}

// ask returns the answers to each row, or nil if the model has no such method.
func ask(t *testing.T, m frame.Model, method frame.Method, x frame.Frame) [][]float64 {
	t.Helper()
	out, ok := m.Output(method)
	if !ok {
		return nil
	}
	var r frame.Result
	if err := m.Predict(nil, method, &r, x); err != nil {
		t.Fatal(err)
	}
	var rows [][]float64
	for n, rest := out.Width, r.Values; len(rest) > 0; rest = rest[n:] {
		rows = append(rows, rest[:n])
	}
	return rows
}

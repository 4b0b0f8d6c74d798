// SPDX-License-Identifier: Apache-2.0

package sklearn

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// expected is what testdata/train.py writes beside a model.
type expected struct {
	Inputs        [][]*float64
	Classes       []any
	Labels        []any
	Probabilities [][]float64
	Decisions     json.RawMessage
}

func (e *expected) matrix() Matrix {
	x := Matrix{Rows: len(e.Inputs), Cols: len(e.Inputs[0])}
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

func load(tb testing.TB, file string) *Model {
	tb.Helper()
	m, err := Load(read(tb, file), DefaultLimits)
	if err != nil {
		tb.Fatalf("Load(%s): %v", file, err)
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
			if diff := cmp.Diff(want.Classes, plain(m.Classes())); diff != "" {
				t.Errorf("classes (-want +got):\n%s", diff)
			}
			x := want.matrix()
			indexes, err := m.Predict(nil, nil, x)
			if err != nil {
				t.Fatal(err)
			}
			var labels []any
			for _, i := range indexes {
				labels = append(labels, m.Classes()[i])
			}
			if diff := cmp.Diff(want.Labels, plain(labels)); diff != "" {
				t.Errorf("labels (-want +got):\n%s", diff)
			}
			compareProbabilities(t, m, &want)
			compareDecisions(t, m, &want)
		})
	}
}

func compareProbabilities(t *testing.T, m *Model, want *expected) {
	t.Helper()
	if m.HasProba() != (want.Probabilities != nil) {
		t.Fatalf("HasProba() = %v, but scikit-learn gave %d probabilities", m.HasProba(), len(want.Probabilities))
	}
	if !m.HasProba() {
		return
	}
	flat, err := m.PredictProba(nil, nil, want.matrix())
	if err != nil {
		t.Fatal(err)
	}
	var got [][]float64
	for n := len(m.Classes()); len(flat) > 0; flat = flat[n:] {
		got = append(got, flat[:n])
	}
	if diff := cmp.Diff(want.Probabilities, got, cmpopts.EquateApprox(0, 1e-6)); diff != "" {
		t.Errorf("probabilities (-want +got):\n%s", diff)
	}
}

func compareDecisions(t *testing.T, m *Model, want *expected) {
	t.Helper()
	decider, ok := m.classifier.(interface {
		decision(row []float64, s *scratch) []float64
	})
	if !ok || want.Decisions == nil {
		return
	}
	x, s := want.matrix(), &scratch{}
	var got [][]float64
	for i := range x.Rows {
		row, err := m.prepare(x, i, s)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, append([]float64(nil), decider.decision(row, s)...))
	}
	if diff := cmp.Diff(want.decisions(t), got, cmpopts.EquateApprox(1e-9, 1e-9)); diff != "" {
		t.Errorf("decisions (-want +got):\n%s", diff)
	}
}

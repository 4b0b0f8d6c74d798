// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/pickle"
)

func load(t *testing.T, name string) (frame.Model, error) {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name + ".pkl")
	if err != nil {
		t.Fatal(err)
	}
	value, left, err := pickle.Read(bytes.NewReader(data), int64(len(data)), budget.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	return fitted.Build(value, left, Classes)
}

// The files are of scikit-learn 1.9.1: DummyClassifier of "abbcb", and DummyRegressor of
// two outputs.
func TestDummiesAnswerForRowsOfAnyWidthAndKind(t *testing.T) {
	text := frame.Dense(1, 1, []float64{frame.Text})
	text.Texts = []string{"x"}
	rows := map[string]frame.Frame{
		"a string": text, "no columns": frame.Dense(1, 0, nil), "five columns": frame.Dense(1, 5, make([]float64, 5)),
		"None": frame.Dense(1, 2, []float64{frame.None, 1}),
	}
	for name, want := range map[string]map[frame.Method][]float64{
		"dummy-prior":         {frame.Predict: {1}, frame.PredictProba: {0.2, 0.6, 0.2}},
		"dummy-most_frequent": {frame.Predict: {1}, frame.PredictProba: {0, 1, 0}},
		"dummy-constant":      {frame.Predict: {2}, frame.PredictProba: {0, 0, 1}},
		"dummy-regressor":     {frame.Predict: {3, 6.2}},
	} {
		m, err := load(t, name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for kind, x := range rows {
			got := map[frame.Method][]float64{}
			for method := range want {
				var r frame.Result
				if err := m.Predict(nil, method, &r, x); err != nil {
					t.Errorf("%s of %s: %v", name, kind, err)
				}
				got[method] = r.Values
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s of %s (-want +got):\n%s", name, kind, diff)
			}
		}
	}
	if _, err := load(t, "dummy-stratified"); err == nil || !strings.Contains(err.Error(), "strategy stratified is not supported") {
		t.Errorf("a dummy that draws lots: %v", err)
	}
}

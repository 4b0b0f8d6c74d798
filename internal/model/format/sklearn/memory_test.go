// SPDX-License-Identifier: Apache-2.0

//go:build !race

package sklearn

import (
	"testing"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/modeltest"
	"github.com/serin-dev/serin/internal/testkit/corpus"
)

// Under the race detector a sync.Pool forgets at random, and this test would fail.
func TestPredictionsNeedNoMemoryOfTheirOwn(t *testing.T) {
	for _, name := range []string{"svc-rbf", "svc-proba", "logistic", "tree", "forest", "pipeline-svc"} {
		needsNoMemory(t, name, load(t, newest+name+".joblib"), frame.Dense(1, 4, make([]float64, 4)))
	}
	for _, c := range corpus.Cases(t, "trees") {
		if c.Version != "1.9.1" {
			continue
		}
		m, err := parse(c.Data, budget.DefaultLimits)
		if err != nil {
			continue // the corpus tells which may be refused
		}
		x, err := modeltest.Frame(c.Input.Rows, c.Input.Columns, m.Schema())
		if err != nil {
			t.Fatal(err)
		}
		needsNoMemory(t, c.Name, m, x.Slice(0, 1))
	}
}

// needsNoMemory asks a model for all that it has, unless it refuses the row.
func needsNoMemory(t *testing.T, name string, m frame.Model, x frame.Frame) {
	t.Helper()
	for _, method := range modeltest.Methods {
		var r frame.Result
		if _, ok := m.Output(method); !ok || m.Predict(nil, method, &r, x) != nil {
			continue
		}
		if n := testing.AllocsPerRun(100, func() { _ = m.Predict(nil, method, &r, x) }); n > 0 {
			t.Errorf("%s of %s allocates %v times", method, name, n)
		}
	}
}

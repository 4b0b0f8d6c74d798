// SPDX-License-Identifier: Apache-2.0

package linear

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// The files are SGDRegressor().sparsify(), with 0.5 + 2 b - d. SciPy's csr_matrix has
// two dimensions, of which scikit-learn's answers show nothing; csr_array has one.
func TestSparsifiedRegressorsAnswerNumbers(t *testing.T) {
	files, err := filepath.Glob("testdata/sparsified-*.pickle")
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	for _, name := range files {
		file, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		value, left, err := pickle.Read(bytes.NewReader(file), int64(len(file)), budget.DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		m, err := fitted.Build(value, left, Classes)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var r frame.Result
		if err := m.Predict(nil, frame.Predict, &r, frame.Dense(1, 4, []float64{1, 2, 3, 4.5})); err != nil {
			t.Fatal(err)
		}
		if !r.Output.Flat || r.Values[0] != 0 {
			t.Errorf("%s: %v, flat %t, want 0, flat", name, r.Values, r.Output.Flat)
		}
	}
}

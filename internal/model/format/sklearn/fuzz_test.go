// SPDX-License-Identifier: Apache-2.0

package sklearn

import "testing"

// FuzzLoad looks for files that crash the loader, or that load into a model
// which crashes when it predicts.
func FuzzLoad(f *testing.F) {
	for _, file := range fixtures(f) {
		if data := read(f, file); len(data) < 3000 {
			f.Add(data)
			f.Add(data[:len(data)/2])
		}
	}
	for _, file := range malicious {
		f.Add([]byte(file))
	}
	f.Add([]byte(pipelineInItself))
	f.Add(doublingPipelines())
	limits := Limits{Memory: 1 << 20}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parse(data, limits)
		if err != nil {
			return
		}
		cols := m.Features()
		if cols < 0 || cols > 1<<16 {
			return
		}
		x := Matrix{Rows: 1, Cols: cols, Data: make([]float64, cols)}
		indexes, err := m.Predict(nil, nil, x)
		for _, i := range indexes {
			if i < 0 || i >= len(m.Classes()) {
				t.Fatalf("class %d of %d", i, len(m.Classes()))
			}
		}
		if err == nil && m.HasProba() {
			if _, err := m.PredictProba(nil, nil, x); err != nil {
				t.Fatal(err)
			}
		}
	})
}

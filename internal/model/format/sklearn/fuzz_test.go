// SPDX-License-Identifier: Apache-2.0

package sklearn

import (
	"testing"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/modeltest"
	"github.com/serin-dev/serin/internal/testkit/corpus"
)

// FuzzLoad looks for files that crash the loader, or that load into a model
// which crashes when it predicts.
func FuzzLoad(f *testing.F) {
	for _, file := range fixtures(f) {
		if data := read(f, file); len(data) < 3000 {
			f.Add(data)
			f.Add(data[:len(data)/2])
		}
	}
	for _, c := range corpus.Cases(f, "files") {
		if c.Version == "0.24.2" && len(c.Data) < 3000 { // its joblib does not align arrays
			f.Add(c.Data)
		}
	}
	for _, file := range malicious {
		f.Add([]byte(file))
	}
	f.Add([]byte(pipelineInItself))
	f.Add(doublingPipelines())
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parse(data, budget.Limits{Memory: 1 << 20})
		if err == nil {
			_ = modeltest.Survives(t, m)
		}
	})
}

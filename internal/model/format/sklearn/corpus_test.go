// SPDX-License-Identifier: Apache-2.0

package sklearn

import (
	"errors"
	"testing"

	"github.com/serin-dev/serin/internal/testkit/corpus"
)

// TestCorpus prints, with -v, which classes of which versions load and are exact.
// testdata/supported.txt lists what must be.
func TestCorpus(t *testing.T) {
	corpus.Check(t, "testdata/supported.txt", loadCase, "linear", "svm", "trees", "bayes", "neighbours", "mlp", "cluster", "columns", "text", "meta", "files", "skops")
}

// TestPublishedModels prints, with -v, which models of others load.
func TestPublishedModels(t *testing.T) {
	corpus.Published(t, func(_ string, data []byte) (string, error) {
		m, err := Load(data, DefaultLimits)
		if err != nil {
			return "", err
		}
		return "loads as " + m.Class(), nil
	})
}

// loadCase is all that the corpus must know of this package.
func loadCase(c *corpus.Case) (corpus.Ask, error) {
	m, err := Load(c.Data, DefaultLimits)
	if err != nil {
		return nil, err
	}
	data, ok := c.Input.Numbers()
	if !ok {
		return nil, errors.New("the rows of this case hold strings")
	}
	x := Matrix{Rows: len(c.Input.Rows), Cols: len(c.Input.Rows[0]), Data: data}
	return func(method string) ([]any, error) {
		var values []any
		switch {
		case method == "predict":
			indexes, err := m.Predict(nil, nil, x)
			for _, i := range indexes {
				values = append(values, m.Classes()[i])
			}
			return values, err
		case method == "predict_proba" && m.HasProba():
			probabilities, err := m.PredictProba(nil, nil, x)
			for _, p := range probabilities {
				values = append(values, p)
			}
			return values, err
		}
		return nil, corpus.ErrMethod
	}, nil
}

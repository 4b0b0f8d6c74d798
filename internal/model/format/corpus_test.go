// SPDX-License-Identifier: Apache-2.0

package format

import (
	"bytes"
	"testing"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/modeltest"
	"github.com/serin-dev/serin/internal/testkit/corpus"
)

// TestCorpus asks the models that XGBoost and LightGBM saved, and their estimators in
// pickles. With -v it prints which are exact, and -update rewrites the page.
func TestCorpus(t *testing.T) {
	r := corpus.Check(t, "testdata/supported.txt", func(c *corpus.Case) (corpus.Ask, error) {
		m, err := Load(c.File, bytes.NewReader(c.Data), int64(len(c.Data)), budget.DefaultLimits)
		if err != nil {
			return nil, err
		}
		return modeltest.AskCase(c, m)
	}, "xgboost", "lightgbm")
	r.Section(t, "../../../docs/reference/estimators.md", "boosters")
}

// TestPublishedModels prints, with -v, which models of others load. A name without a
// known suffix is taken for a pickle's.
func TestPublishedModels(t *testing.T) {
	corpus.Published(t, func(file string, data []byte) (string, error) {
		if Rank(file) == 0 {
			file += ".pkl"
		}
		m, err := Load(file, bytes.NewReader(data), int64(len(data)), budget.DefaultLimits)
		if err != nil {
			return "", err
		}
		return "loads as " + m.Class(), nil
	})
}

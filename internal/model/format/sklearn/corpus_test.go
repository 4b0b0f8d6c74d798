// SPDX-License-Identifier: Apache-2.0

package sklearn

import (
	"bytes"
	"strings"
	"testing"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/modeltest"
	"github.com/serin-dev/serin/internal/testkit/corpus"
)

// TestCorpus prints, with -v, which classes of which versions load and are exact.
// testdata/supported.txt lists what must be, and -update rewrites the page.
func TestCorpus(t *testing.T) {
	r := corpus.Check(t, "testdata/supported.txt", loadCase, "linear", "svm", "trees", "bayes", "neighbours", "mlp", "cluster", "columns", "text", "meta", "odd", "files", "skops")
	r.Section(t, "../../../../docs/reference/estimators.md", "scikit-learn")
}

// loadCase is all that the corpus must know of this package.
func loadCase(c *corpus.Case) (corpus.Ask, error) {
	load := Load
	if strings.HasSuffix(c.File, ".skops") {
		load = LoadSkops
	}
	m, err := load(bytes.NewReader(c.Data), int64(len(c.Data)), budget.DefaultLimits)
	if err != nil {
		return nil, err
	}
	return modeltest.AskCase(c, m)
}

// SPDX-License-Identifier: Apache-2.0

package sklearn

import (
	"bytes"
	"errors"
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
	x, problem := modeltest.Frame(c.Input.Rows, c.Input.Columns, m.Schema())
	if problem != nil && !errors.Is(problem, modeltest.ErrColumns) {
		return nil, problem
	}
	return func(method string) ([]any, error) {
		values, ok, err := modeltest.Answer(m, method, x)
		switch {
		case !ok:
			return nil, corpus.ErrMethod
		case problem != nil:
			return nil, problem
		}
		return values, err
	}, nil
}

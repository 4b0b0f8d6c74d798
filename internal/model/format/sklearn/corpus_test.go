// SPDX-License-Identifier: Apache-2.0

package sklearn

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/modeltest"
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
		m, err := parse(data, budget.DefaultLimits)
		if err != nil {
			return "", err
		}
		return "loads as " + m.Class(), nil
	})
}

// loadCase is all that the corpus must know of this package.
func loadCase(c *corpus.Case) (corpus.Ask, error) {
	m, err := parse(c.Data, budget.DefaultLimits)
	if err != nil {
		return nil, err
	}
	x, err := frameOf(c.Input, m.Schema())
	if err != nil {
		return nil, err
	}
	return func(name string) ([]any, error) {
		i := slices.IndexFunc(modeltest.Methods, func(m frame.Method) bool { return m.String() == name })
		if i < 0 {
			return nil, corpus.ErrMethod
		}
		method := modeltest.Methods[i]
		if _, ok := m.Output(method); !ok {
			return nil, corpus.ErrMethod
		}
		var r frame.Result
		if err := m.Predict(nil, method, &r, x); err != nil {
			return nil, err
		}
		values := make([]any, len(r.Values))
		for i, v := range r.Values {
			values[i] = v
			if r.Output.Classes != nil {
				values[i] = r.Output.Label(i%r.Output.Width, v)
			}
		}
		return values, nil
	}, nil
}

// frameOf is the frame that a protocol makes of the rows.
func frameOf(in *corpus.Input, schema frame.Schema) (frame.Frame, error) {
	x := frame.Dense(len(in.Rows), len(in.Rows[0]), nil)
	x.Names = in.Columns
	for _, row := range in.Rows {
		for j, v := range row {
			number, text := math.NaN(), ""
			switch v := v.(type) {
			case float64:
				number = v
			case bool:
				number = map[bool]float64{true: 1}[v]
			case string:
				if schema.Kind(j) == frame.Numbers {
					return x, errors.New("the rows of this case hold strings")
				}
				number, text = frame.Text, v
			case nil:
				if schema.Kind(j) != frame.Numbers {
					number = frame.None
				}
			}
			x.Data, x.Texts = append(x.Data, number), append(x.Texts, text)
		}
	}
	return x, nil
}

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
	x, problem := frameOf(c.Input, m.Schema())
	if problem != nil && !errors.Is(problem, errColumns) {
		return nil, problem
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
		if problem != nil {
			return nil, problem
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
	order, err := columnsOf(in, schema)
	if err != nil {
		return frame.Frame{}, err
	}
	x := frame.Dense(len(in.Rows), len(order), nil)
	if x.Names = in.Columns; len(schema.Names) > 0 && len(in.Columns) > 0 {
		x.Names = schema.Names
	}
	for _, row := range in.Rows {
		for j, from := range order {
			v := row[from]
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

// errColumns is V1's error of such rows.
var errColumns = errors.New("the rows of this case have other columns")

// columnsOf returns the columns of the rows in the order of the schema, as V1 has
// them for rows that are objects.
func columnsOf(in *corpus.Input, schema frame.Schema) ([]int, error) {
	order := make([]int, len(in.Rows[0]))
	for j := range order {
		order[j] = j
		if len(in.Columns) == 0 || len(schema.Names) == 0 {
			continue
		}
		if len(schema.Names) != len(order) {
			return nil, errColumns
		}
		if order[j] = slices.Index(in.Columns, schema.Names[j]); order[j] < 0 {
			return nil, errColumns
		}
	}
	return order, nil
}

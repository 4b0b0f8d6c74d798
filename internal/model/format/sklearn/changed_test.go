// SPDX-License-Identifier: Apache-2.0

package sklearn

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/modeltest"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/testkit/corpus"
)

// TestParametersChangedAfterFitting sets parameters that scikit-learn reads only to
// fit: they change no answer.
func TestParametersChangedAfterFitting(t *testing.T) {
	changes := map[string]map[string]any{
		"trees/boosting-classifier-binary":      {"loss": "exponential"},
		"trees/boosting-classifier-exponential": {"loss": "log_loss"},
		"trees/boosting-regressor-huber":        {"loss": "unknown"},
		"trees/hist-classifier":                 {"loss": "unknown"},
		"trees/hist-regressor-poisson":          {"loss": "squared_error"},
		"trees/hist-regressor-squared-error":    {"loss": "poisson"},
		"linear/tweedie-0":                      {"power": int64(2), "link": "log"},
		"bayes/dummy-prior":                     {"strategy": "most_frequent"},
	}
	seen := map[string]bool{}
	for _, kind := range []string{"trees", "linear", "bayes"} {
		for _, c := range corpus.Cases(t, kind) {
			for name, v := range changes[c.Path()] {
				seen[c.Path()] = true
				if diff := cmp.Diff(answers(t, &c, "", nil), answers(t, &c, name, v)); diff != "" {
					t.Errorf("%s of %s: %s = %v changes answers (-before +after):\n%s", c.Path(), c.Version, name, v, diff)
				}
			}
		}
	}
	if len(seen) != len(changes) {
		t.Errorf("of %d cases, the corpus has %d: %v", len(changes), len(seen), seen)
	}
}

// answers returns what a model says after one of its parameters was set.
func answers(t *testing.T, c *corpus.Case, name string, to any) map[string][]any {
	t.Helper()
	value, left, err := pickle.Read(bytes.NewReader(c.Data), int64(len(c.Data)), budget.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	o, ok := value.(*pickle.Object)
	if !ok {
		t.Fatalf("%s holds %T", c.Path(), value)
	}
	if name != "" {
		o.State.Entries[name] = to
	}
	m, err := fitted.Build(value, left, classes)
	if err != nil {
		t.Fatalf("%s of %s: %v", c.Path(), c.Version, err)
	}
	x, err := modeltest.Frame(c.Input.Rows, c.Input.Columns, m.Schema())
	if err != nil && !errors.Is(err, modeltest.ErrColumns) {
		t.Fatal(err)
	}
	all := map[string][]any{}
	for _, method := range modeltest.Methods {
		values, ok, err := modeltest.Answer(m, method.String(), x)
		if ok && err != nil {
			t.Fatal(err)
		}
		all[method.String()] = values
	}
	return all
}

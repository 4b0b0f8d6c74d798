// SPDX-License-Identifier: Apache-2.0

package format

import (
	"bytes"
	"strings"
	"testing"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/format/lightgbm"
	"github.com/serin-dev/serin/internal/model/format/xgboost"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/modeltest"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/testkit/corpus"
)

// A regressor answers what its Booster does, so the corpus has the answers of Boosters
// in pickles.
func TestBoostersInPicklesAnswerAsTheirRegressors(t *testing.T) {
	compared := 0
	for _, kind := range []string{"xgboost", "lightgbm"} {
		for _, c := range corpus.Cases(t, kind) {
			stops := strings.Contains(c.Name, "stop") // XGBoost's regressor does not ask all trees then
			if c.Class != "XGBRegressor" && c.Class != "LGBMRegressor" || strings.Contains(c.Name, "pipeline") || stops && kind == "xgboost" {
				continue
			}
			m := alone(t, &c)
			x, err := modeltest.Frame(c.Input.Rows, c.Input.Columns, m.Schema())
			if err != nil {
				t.Fatal(err)
			}
			got, _, err := modeltest.Answer(m, frame.Predict.String(), x)
			want := c.Answers["predict"]
			if err != nil {
				t.Errorf("%s of %s: %v", c.Path(), c.Library, err)
			} else if diff := want.Diff(got); diff != "" {
				t.Errorf("%s of %s: %s", c.Path(), c.Library, diff)
			}
			compared++
		}
	}
	if compared == 0 {
		t.Error("there are no cases")
	}
}

// alone builds the Booster of a regressor.
func alone(t *testing.T, c *corpus.Case) frame.Model {
	t.Helper()
	value, left, err := pickle.Read(bytes.NewReader(c.Data), int64(len(c.Data)), budget.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	o, ok := value.(*pickle.Object)
	if !ok {
		t.Fatalf("%s of %s holds %s", c.Path(), c.Library, pickle.Describe(value))
	}
	m, err := fitted.Build(o.State.Entries["_Booster"], left, fitted.Table(xgboost.Classes, lightgbm.Classes))
	if err != nil {
		t.Fatalf("%s of %s: %v", c.Path(), c.Library, err)
	}
	return m
}

// SPDX-License-Identifier: Apache-2.0

package sklearn

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/modeltest"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/testkit/corpus"
)

// A HashingVectorizer has as many columns as its file says, and no array as long.
func TestAWidthThatNoArrayBacksIsBounded(t *testing.T) {
	for _, c := range corpus.Cases(t, "text") {
		if c.Name != "hashing-no-norm" || c.Version != "1.9.1" {
			continue
		}
		value, left, err := pickle.Read(bytes.NewReader(c.Data), int64(len(c.Data)), budget.DefaultLimits)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range modeltest.NewMutant(value, nil).Objects {
			if _, ok := o.State.Entries["n_features"]; ok {
				o.State.Entries["n_features"] = int64(math.MaxInt32)
			}
		}
		if _, err := fitted.Build(value, left, classes); err == nil || !strings.Contains(err.Error(), "more than any model of its size holds") {
			t.Errorf("a vectorizer of 2^31 columns: %v", err)
		}
		return
	}
	t.Fatal("the corpus has no such case")
}

// SPDX-License-Identifier: Apache-2.0

package trees

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// The file's categories are 2^60 and 2^60 + 1, which are one float64.
func TestCategoriesBeyondFloatsAreRefused(t *testing.T) {
	file, err := os.ReadFile("testdata/large-categories-1.7.2.pkl")
	if err != nil {
		t.Fatal(err)
	}
	value, left, err := pickle.Read(bytes.NewReader(file), int64(len(file)), budget.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fitted.Build(value, left, Classes); err == nil || !strings.Contains(err.Error(), "beyond 2^53") {
		t.Errorf("error %v, want that a category is beyond 2^53", err)
	}
}

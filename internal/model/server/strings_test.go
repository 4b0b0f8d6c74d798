// SPDX-License-Identifier: Apache-2.0

package server

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/serin-dev/serin/internal/testkit/corpus"
)

// Objects with strings and missing values, and texts, are what ColumnTransformers and
// vectorizers work on.
func TestInstancesOfStringsAndGapsAreAnsweredAsInScikitLearn(t *testing.T) {
	for _, kind := range []string{"columns", "text"} {
		for _, c := range corpus.Cases(t, kind) {
			words := strings.HasPrefix(c.Name, "columns") || strings.HasPrefix(c.Name, "one-hot") || strings.HasPrefix(c.Name, "ordinal") || c.Name == "count" || c.Name == "hashing"
			if c.Version != "1.0.2" && c.Version != "1.9.1" || !words {
				continue
			}
			ask(t, &c)
		}
	}
}

// ask asks a model of the corpus by V1.
func ask(t *testing.T, c *corpus.Case) {
	t.Helper()
	s, err := serverOf(t, c.Data)
	if err != nil {
		t.Errorf("%s of %s: %v", c.Path(), c.Version, err)
		return
	}
	status, body := s.posted("/v1/models/m:predict", `{"instances":`+string(c.Input.JSON)+`}`)
	want := c.Answers["predict"]
	if want.Error != "" {
		if status == http.StatusOK {
			t.Errorf("%s of %s answers, and not: %s", c.Path(), c.Version, want.Error)
		}
		return
	}
	var answer struct{ Predictions []any }
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK {
		t.Errorf("%s of %s: %d, %.200s", c.Path(), c.Version, status, body)
		return
	}
	if diff := want.Diff(answer.Predictions); diff != "" {
		t.Errorf("%s of %s: %s", c.Path(), c.Version, diff)
	}
}

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"

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
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "model.joblib"), c.Data, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := New(t.Context(), Config{ModelName: "m", ModelDir: dir, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Errorf("%s of %s: %v", c.Path(), c.Version, err)
		return
	}
	var ctx fasthttp.RequestCtx
	ctx.Request.Header.SetMethod("POST")
	ctx.Request.SetRequestURI("/v1/models/m:predict")
	ctx.Request.SetBodyString(`{"instances":` + string(c.Input.JSON) + `}`)
	s.handle(&ctx)
	want := c.Answers["predict"]
	if want.Error != "" {
		if ctx.Response.StatusCode() == fasthttp.StatusOK {
			t.Errorf("%s of %s answers, and not: %s", c.Path(), c.Version, want.Error)
		}
		return
	}
	var answer struct{ Predictions []any }
	if err := json.Unmarshal(ctx.Response.Body(), &answer); err != nil || ctx.Response.StatusCode() != fasthttp.StatusOK {
		t.Errorf("%s of %s: %d, %.200s", c.Path(), c.Version, ctx.Response.StatusCode(), ctx.Response.Body())
		return
	}
	if diff := want.Diff(answer.Predictions); diff != "" {
		t.Errorf("%s of %s: %s", c.Path(), c.Version, diff)
	}
}

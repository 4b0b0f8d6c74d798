// SPDX-License-Identifier: Apache-2.0

package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/testkit/corpus"
)

// examplesOf returns the requests that the page begins with.
func examplesOf(t *testing.T, page string) (v1, v2 string) {
	t.Helper()
	_, rest, _ := strings.Cut(page, `id="examples">`)
	text, _, _ := strings.Cut(rest, "</script>")
	var examples struct{ V1, V2 json.RawMessage }
	if err := json.Unmarshal([]byte(text), &examples); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return string(examples.V1), string(examples.V2)
}

func TestThePageBeginsWithRequestsOfTheModel(t *testing.T) {
	for _, test := range []struct {
		name, v1, v2 string
		schema       frame.Schema
	}{
		{
			"without names", `{"instances":[[1,1]]}`,
			`{"inputs":[{"name":"input-0","shape":[1,2],"datatype":"FP64","data":[1,1]}]}`,
			frame.Schema{Width: 2},
		},
		{
			"a DataFrame of numbers", `{"instances":[{"b":1,"a":1}]}`,
			`{"inputs":[{"name":"input-0","shape":[1,2],"datatype":"FP64","data":[1,1]}]}`,
			frame.Schema{Width: 2, Names: []string{"b", "a"}},
		},
		{
			"a DataFrame of both", `{"instances":[{"city":"Bern","age":1,"any":"text"}]}`,
			`{"parameters":{"content_type":"pd"},"inputs":[{"name":"city","shape":[1],"datatype":"BYTES","data":["Bern"]},` +
				`{"name":"age","shape":[1],"datatype":"FP64","data":[1]},{"name":"any","shape":[1],"datatype":"BYTES","data":["text"]}]}`,
			frame.Schema{Width: 3, Names: []string{"city", "age", "any"}, Kinds: []frame.Kind{frame.Strings, frame.Numbers, frame.Anything}, Examples: map[int]string{0: "Bern"}},
		},
		{
			"both, without names", `{"instances":[[1,"text"]]}`,
			`{"inputs":[{"name":"input-0","shape":[1,2],"datatype":"BYTES","data":["1","text"]}]}`,
			frame.Schema{Width: 2, Kinds: []frame.Kind{frame.Numbers, frame.Strings}},
		},
		{
			"texts", `{"instances":["text"]}`,
			`{"inputs":[{"name":"input-0","shape":[1],"datatype":"BYTES","data":["text"]}]}`,
			frame.Schema{Width: 1, Kinds: []frame.Kind{frame.Strings}, Flat: true},
		},
		{
			"rows that only the model knows", `{"instances":[[1]]}`,
			`{"inputs":[{"name":"input-0","shape":[1,1],"datatype":"FP64","data":[1]}]}`,
			frame.Schema{Open: true},
		},
		{
			"rows of which the number of columns is known", `{"instances":[[1,1]]}`,
			`{"inputs":[{"name":"input-0","shape":[1,2],"datatype":"FP64","data":[1,1]}]}`,
			frame.Schema{Open: true, Width: 2},
		},
	} {
		s := &Server{name: "m", model: answering{}, schema: test.schema}
		v1, v2 := examplesOf(t, string(s.docsPage()))
		if diff := cmp.Diff([]string{test.v1, test.v2}, []string{v1, v2}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, diff)
		}
	}
}

// answering is a model whose answers do not matter.
type answering struct{ frame.Model }

func (answering) Class() string                            { return "Model" }
func (answering) Output(frame.Method) (frame.Output, bool) { return frame.Output{Flat: true}, true }

// Models that refuse unknown strings know those of their example.
func TestModelsAnswerTheirExamples(t *testing.T) {
	models := map[string][]byte{}
	for _, file := range []string{iris, fixtures + "frame.joblib", fixtures + "tree-missing.joblib", fixtures + "logistic-objects.joblib"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		models[file] = data
	}
	for _, kind := range []string{"columns", "text"} {
		for _, c := range corpus.Cases(t, kind) {
			if c.Version == "1.9.1" && len(c.Answers["predict"].Values) > 0 {
				models[c.Path()] = c.Data
			}
		}
	}
	loaded := 0
	for name, data := range models {
		s, err := serverOf(t, data, func(c *Config) { c.Docs = true })
		if err != nil {
			continue // it is refused
		}
		loaded++
		v1, v2 := examplesOf(t, string(s.docsPage()))
		for path, body := range map[string]string{"/v1/models/m:predict": v1, "/v2/models/m/infer": v2} {
			if status, answer := s.posted(path, body); status != http.StatusOK {
				t.Errorf("%s: POST %s %.200s: %s", name, path, body, answer)
			}
		}
	}
	if loaded < len(models)/2 {
		t.Errorf("only %d of %d models load", loaded, len(models))
	}
}

func TestThePageOfAnOpenModelPromisesNothing(t *testing.T) {
	s := &Server{name: "m", model: &openModel{}, schema: frame.Schema{Open: true}}
	for _, want := range []string{"<td>those that the model knows</td><td>number or string</td>", "What it answers is known when it has answered."} {
		if page := string(s.docsPage()); !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
}

func TestThePageEscapesNames(t *testing.T) {
	const name = `</script><img src=x onerror=alert(1)>'"&`
	s := &Server{name: name, model: answering{}, schema: frame.Schema{Width: 1, Names: []string{name}, Kinds: []frame.Kind{frame.Strings}, Examples: map[int]string{0: name}}}
	page := string(s.docsPage())
	if strings.Contains(page, "<img") || strings.Count(page, "</script>") != 2 {
		t.Errorf("the page holds a tag of the model's: %s", page)
	}
	if v1, _ := examplesOf(t, page); v1 == "" {
		t.Error("it has no example")
	}
}

func TestThePageShowsTheFirstColumnsOnly(t *testing.T) {
	s := &Server{name: "m", model: answering{}, schema: frame.Schema{Width: 1000}}
	if page := string(s.docsPage()); !strings.Contains(page, "<td>and 800 more</td>") || strings.Contains(page, fmt.Sprintf("<td>%d</td>", 200)) {
		t.Errorf("the page: %s", page)
	}
}

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"cmp"
	_ "embed" // the documentation is part of the program: it works offline
	"encoding/json"
	"fmt"
	"html"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/serin-dev/serin/internal/model/frame"
)

var (
	//go:embed docs.html
	docsPage string
	//go:embed openapi.json
	openAPI []byte
)

// docsPolicy lets the page ask this server, and nothing else.
const docsPolicy = "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

func (s *Server) serveDocs(ctx *fasthttp.RequestCtx) {
	ctx.Response.Header.Set("Content-Security-Policy", docsPolicy)
	serveBytes(ctx, "text/html; charset=utf-8", s.docsPage())
}

// docsPage fills the page with what the model takes and answers.
func (s *Server) docsPage() []byte {
	examples, err := json.Marshal(struct { // escapes <, so it ends no script
		Name string `json:"name"`
		V1   any    `json:"v1"`
		V2   any    `json:"v2"`
	}{s.name, s.exampleV1(), s.exampleV2()})
	if err != nil {
		return []byte(err.Error()) // strings and numbers always encode
	}
	return []byte(strings.NewReplacer(
		"{{name}}", html.EscapeString(s.name),
		"{{class}}", html.EscapeString(s.model.Class()),
		"{{columns}}", s.docsColumns(),
		"{{output}}", html.EscapeString(s.docsOutput()),
		"{{examples}}", string(examples),
	).Replace(docsPage))
}

// docsColumns describes the first columns of the model, as rows of a table.
func (s *Server) docsColumns() string {
	const most = 200
	var rows strings.Builder
	row := func(name, kind string) {
		fmt.Fprintf(&rows, "<tr><td>%s</td><td>%s</td></tr>", html.EscapeString(name), kind)
	}
	names := len(s.schema.Names) > 0
	for i := range min(s.schema.Width, most) {
		kind := [...]string{frame.Numbers: "number", frame.Strings: "string", frame.Anything: "number or string"}[s.schema.Kind(i)]
		switch {
		case s.schema.Flat:
			row("the instance", kind)
		case names:
			row(s.schema.Names[i], kind)
		default:
			row(fmt.Sprint(i), kind)
		}
	}
	if s.schema.Open && s.schema.Width == 0 {
		row("those that the model knows", "number or string")
	}
	if more := s.schema.Width - most; more > 0 {
		row(fmt.Sprintf("and %d more", more), "")
	}
	return rows.String()
}

// docsOutput says what the model answers for a row.
func (s *Server) docsOutput() string {
	out, _ := s.model.Output(s.method)
	if out.Open {
		return "What it answers is known when it has answered."
	}
	typ := datatypeFor(out.Type)
	word := [...]string{integers: "an integer", floats: "a number", truths: "true or false", texts: "a string"}[typ.kind]
	text := fmt.Sprintf("For each row %s (%s)", word, typ.name)
	if !out.Flat {
		text = fmt.Sprintf("For each row a list of %d: %s (%s) each", out.Width, word, typ.name)
	}
	if len(s.labels) != 1 {
		return text + "."
	}
	const most = 20
	labels := s.labels[0]
	var known []string
	for _, l := range labels[:min(most, len(labels))] {
		known = append(known, string(l))
	}
	if len(labels) > most {
		known = append(known, fmt.Sprintf("and %d more", len(labels)-most))
	}
	return text + ". One of " + strings.Join(known, ", ") + "."
}

// exampleValue is a value of a column.
func (s *Server) exampleValue(column int) any {
	if s.schema.Open || s.schema.Kind(column) == frame.Numbers {
		return 1
	}
	return cmp.Or(s.schema.Examples[column], "text")
}

// exampleV1 is a V1 request of one row.
func (s *Server) exampleV1() any {
	row := make([]any, max(s.schema.Width, 1))
	for i := range row {
		row[i] = s.exampleValue(i)
	}
	var instance any = row
	switch {
	case s.schema.Flat:
		instance = row[0]
	case len(s.schema.Names) > 0:
		instance = members{s.schema.Names, row}
	}
	return map[string]any{"instances": []any{instance}}
}

// exampleV2 is a V2 request of one row, as the metadata describe it.
func (s *Server) exampleV2() any {
	type input struct {
		Name     string  `json:"name"`
		Shape    []int64 `json:"shape"`
		Datatype string  `json:"datatype"`
		Data     []any   `json:"data"`
	}
	var request struct {
		Parameters map[string]any `json:"parameters,omitempty"`
		Inputs     []input        `json:"inputs"`
	}
	signatures, _ := s.signatures()
	if s.schema.Open {
		signatures = []signature{{"input-0", "FP64", []int64{-1, int64(max(s.schema.Width, 1))}}}
	}
	column := 0
	for _, tensor := range signatures {
		each := input{Name: tensor.Name, Shape: []int64{1}, Datatype: tensor.Datatype}
		if len(tensor.Shape) > 1 {
			each.Shape = []int64{1, tensor.Shape[1]}
		}
		for range each.Shape[len(each.Shape)-1] {
			value := s.exampleValue(column)
			if tensor.Datatype == "BYTES" {
				value = fmt.Sprint(value)
			}
			each.Data = append(each.Data, value)
			column++
		}
		request.Inputs = append(request.Inputs, each)
	}
	if len(signatures) > 1 {
		request.Parameters = map[string]any{"content_type": "pd"}
	}
	return request
}

// members is a JSON object whose members have an order.
type members struct {
	names  []string
	values []any
}

func (m members) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for i, name := range m.names {
		value, err := json.Marshal(m.values[i])
		if err != nil {
			return nil, err
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, quote(name)...), ':'), value...)
	}
	return append(out, '}'), nil
}

// SPDX-License-Identifier: Apache-2.0

package corpus

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
)

// The forms of an Input.
const (
	Matrix  = "matrix"  // rows of numbers; a missing one is null
	Objects = "objects" // rows of strings, numbers and null
	Records = "records" // rows as objects by column, which are a DataFrame
	Texts   = "texts"   // a row is a string
)

// Input holds the rows of a request.
type Input struct {
	Name, Form string
	Columns    []string // of Records
	// Rows hold float64, string, bool and nil, those of Records in the order of
	// Columns. A row of Texts is its one string.
	Rows [][]any
	// JSON is the list that a client sends as "instances".
	JSON json.RawMessage
}

func (in *Input) parse(data []byte) error {
	var raw struct {
		Form    string
		Columns []string
		Rows    json.RawMessage
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		return err
	}
	in.Form, in.Columns, in.JSON = raw.Form, raw.Columns, raw.Rows
	var rows []any
	if err := json.Unmarshal(raw.Rows, &rows); err != nil {
		return err
	}
	for _, row := range rows {
		switch row := row.(type) {
		case []any:
			in.Rows = append(in.Rows, row)
		case map[string]any:
			var values []any
			for _, c := range in.Columns {
				values = append(values, row[c])
			}
			in.Rows = append(in.Rows, values)
		default:
			in.Rows = append(in.Rows, []any{row})
		}
	}
	return nil
}

// Answer is what a method returns.
type Answer struct {
	Error  string // and nothing else, if the library refuses the input
	Type   string // of numpy: "int64", "float32", "bool"; "bytes" for strings and objects
	Shape  []int
	Values []any `json:"data"` // int64, uint64 from 2^63 on, float64, bool, string, nil
	// Parts are the probabilities of several outputs. Values has them too: a row's of
	// the first part, then those of the second.
	Parts []Answer
}

func (a *Answer) plain() {
	a.Values = plain(a.Values, a.Type)
	if len(a.Parts) == 0 {
		return
	}
	width := 0
	for i := range a.Parts {
		a.Parts[i].plain()
		width += a.Parts[i].width()
	}
	a.Type, a.Shape = a.Parts[0].Type, []int{a.Parts[0].Rows(), width}
	for row := range a.Rows() {
		for _, p := range a.Parts {
			a.Values = append(a.Values, p.Values[row*p.width():(row+1)*p.width()]...)
		}
	}
}

// width is the number of values in a row.
func (a *Answer) width() int { return max(1, len(a.Values)/max(1, a.Rows())) }

// plain turns the numbers of JSON, and the two strings that stand for infinity
// among numbers, into those of Go. Without a type, a number is what it looks like.
func plain(values []any, dtype string) []any {
	out := make([]any, len(values))
	for i, v := range values {
		float := dtype == "float64" || dtype == "float32" || dtype == "float16"
		n, number := v.(json.Number)
		switch {
		case float && v == nil:
			out[i] = math.NaN()
		case float:
			out[i], _ = strconv.ParseFloat(fmt.Sprint(v), 64) // inf is read as well
		case number:
			out[i] = integer(string(n))
		default:
			out[i] = v
		}
	}
	return out
}

func integer(s string) any {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n
	}
	if n, err := strconv.ParseUint(s, 10, 64); err == nil {
		return n
	}
	f, _ := strconv.ParseFloat(s, 64) // JSON's numbers are numbers
	return f
}

// Within is how far numbers may be from the library's: absolute, and from 1 on
// relative.
const Within = 1e-6

// Diff compares values, row after row, with the first rows of the answer, as many
// as it has. It returns "", or the first difference.
func (a *Answer) Diff(got []any) string {
	if len(got) < len(a.Values) {
		return fmt.Sprintf("%d values, want %d", len(got), len(a.Values))
	}
	width := a.width()
	for i, want := range a.Values {
		if !same(want, got[i]) {
			return fmt.Sprintf("row %d, value %d: %v (%T), want %v (%T)", i/width, i%width, got[i], got[i], want, want)
		}
	}
	return ""
}

// Rows returns the number of rows that the answer has, which may be less than the
// input's.
func (a *Answer) Rows() int {
	if len(a.Shape) == 0 {
		return 0
	}
	return a.Shape[0]
}

func same(want, got any) bool {
	w, ok := want.(float64)
	g, float := got.(float64)
	if !ok || !float {
		return want == got
	}
	return w == g || math.IsNaN(w) && math.IsNaN(g) || math.Abs(w-g) <= Within*max(1, math.Abs(w))
}

// SPDX-License-Identifier: Apache-2.0

package modeltest

import (
	"errors"
	"math"
	"slices"

	"github.com/serin-dev/serin/internal/model/frame"
)

// Answer calls the method of this name, and returns the values that a client gets, row
// after row. It reports whether the model has the method.
func Answer(m frame.Model, name string, x frame.Frame) ([]any, bool, error) {
	i := slices.IndexFunc(Methods, func(m frame.Method) bool { return m.String() == name })
	if i < 0 {
		return nil, false, nil
	}
	if _, ok := m.Output(Methods[i]); !ok {
		return nil, false, nil
	}
	var r frame.Result
	if err := m.Predict(nil, Methods[i], &r, x); err != nil {
		return nil, true, err
	}
	values := make([]any, len(r.Values))
	for i, v := range r.Values {
		values[i] = v
		if r.Output.Classes != nil {
			values[i] = r.Output.Label(i%r.Output.Width, v)
		}
	}
	return values, true, nil
}

// Frame is the frame that a protocol makes of the rows.
func Frame(rows [][]any, columns []string, schema frame.Schema) (frame.Frame, error) {
	order, err := columnsOf(rows, columns, schema)
	if err != nil {
		return frame.Frame{}, err
	}
	x := frame.Dense(len(rows), len(order), nil)
	if x.Names = columns; len(schema.Names) > 0 && len(columns) > 0 {
		x.Names = schema.Names
	}
	for _, row := range rows {
		for j, from := range order {
			var v any
			if from >= 0 {
				v = row[from]
			}
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

// ErrColumns is V1's error of such rows.
var ErrColumns = errors.New("the rows of this case have other columns")

// columnsOf returns the columns of the rows in the order of the schema, as V1 has
// them for rows that are objects.
func columnsOf(rows [][]any, columns []string, schema frame.Schema) ([]int, error) {
	var order []int
	if len(columns) == 0 || len(schema.Names) == 0 {
		for j := range rows[0] {
			order = append(order, j)
		}
		return order, nil
	}
	if len(schema.Names) != len(columns) && len(schema.Picked) == 0 {
		return nil, ErrColumns
	}
	for j, name := range schema.Names {
		at := slices.Index(columns, name)
		if at < 0 && !schema.Spare(j) {
			return nil, ErrColumns
		}
		order = append(order, at)
	}
	return order, nil
}

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/serin-dev/serin/internal/model/format/sklearn"
)

// batch is a request as a matrix, and the memory that requests reuse.
type batch struct {
	features []string // the model's own names of its columns, if it has any
	width    int      // how many columns it has
	x        sklearn.Matrix

	// For rows that are objects.
	columns []string    // features, or else the names of the first object
	cells   [][]float64 // the values of one object, by column

	classes       []int
	probabilities []float64
	out           []byte
}

// formatError is the error of a body that is no V1 request.
type formatError struct{ message string }

func (e *formatError) Error() string { return e.message }

// inputError is an error about rows with the text that scikit-learn has for it.
type inputError string

func (e inputError) Error() string { return string(e) }

// parse reads {"instances": [row, ...]}, or "inputs", which wins if both are
// there. A row is a list of numbers, or an object of numbers by column.
func (b *batch) parse(body []byte) error {
	p := &parser{data: body}
	err := b.request(p)
	if _, ok := errors.AsType[*syntaxError](err); ok {
		return &formatError{"Unrecognized request format: " + err.Error()}
	}
	return err
}

func (b *batch) request(p *parser) error {
	if p.peek() != '{' {
		if err := p.document(); err != nil {
			return err
		}
		return &formatError{"Unrecognized request format: not a JSON object"}
	}
	var problem error // of the rows that were read last
	found := ""
	err := p.object(func(key string) error {
		if key != "inputs" && (key != "instances" || found == "inputs") {
			return p.skip()
		}
		found = key
		if p.peek() != '[' {
			if err := p.skip(); err != nil {
				return err
			}
			return &formatError{fmt.Sprintf("Expected %q to be a list", key)}
		}
		// An error in these rows does not matter if the key occurs again, so
		// skip them and go on.
		start := *p
		problem = b.rows(p)
		if problem != nil {
			*p = start
			return p.skip()
		}
		return nil
	})
	if err == nil {
		err = p.end()
	}
	switch {
	case err != nil:
		return err
	case found == "":
		return errors.New("'instances'")
	}
	return problem
}

// rows reads a list of rows into the matrix.
func (b *batch) rows(p *parser) error {
	b.x = sklearn.Matrix{Data: b.x.Data[:0]}
	b.columns = b.features
	err := p.array(func() error {
		var err error
		switch p.peek() {
		case '[':
			err = b.list(p)
		case '{':
			err = b.object(p)
		default:
			err = inputError("Expected 2D array, got 1D array instead: each instance must be a list of numbers")
		}
		return err
	})
	if err == nil && b.x.Rows == 0 {
		return inputError("Expected 2D array, got 1D array instead: there are no instances")
	}
	return err
}

// list reads [number, ...].
func (b *batch) list(p *parser) error {
	before := len(b.x.Data)
	err := p.array(func() error {
		v, err := b.cell(p)
		b.x.Data = append(b.x.Data, v)
		return err
	})
	if err != nil {
		return err
	}
	return b.added(len(b.x.Data) - before)
}

// added counts a row of cols values, and returns an error if others have another
// number.
func (b *batch) added(cols int) error {
	if b.x.Rows == 0 {
		b.x.Cols = cols
	}
	if b.x.Cols != cols {
		return fmt.Errorf("instance %d has %d features, but the first has %d", b.x.Rows, cols, b.x.Cols)
	}
	b.x.Rows++
	return nil
}

// cell reads one number as numpy would: null is missing, and bools count.
func (b *batch) cell(p *parser) (float64, error) {
	switch p.peek() {
	case 'n':
		return math.NaN(), p.word("null")
	case 't':
		return 1, p.word("true")
	case 'f':
		return 0, p.word("false")
	case '"':
		return 0, fmt.Errorf("instance %d holds a string, but the model works on numbers", b.x.Rows)
	case '[':
		return 0, inputError("Found array with dim 3, but the model works on rows of numbers")
	case '{':
		return 0, fmt.Errorf("instance %d holds an object, but the model works on numbers", b.x.Rows)
	}
	return p.number()
}

// object reads {"column": number, ...} as one row, or {"column": [number,
// ...], ...} as several.
func (b *batch) object(p *parser) error {
	define := b.columns == nil // a model fitted on an array takes columns as they come
	for i := range b.cells {
		b.cells[i] = b.cells[i][:0]
	}
	next := 0
	err := p.object(func(key string) error {
		i := column(b.columns, key, next)
		switch {
		case i >= 0:
		case !define:
			return fmt.Errorf("instance %d has an unknown feature %q", b.x.Rows, key)
		case len(b.columns) == b.width:
			return fmt.Errorf("instance %d has more features than the %d that the model works on", b.x.Rows, b.width)
		default:
			i = len(b.columns)
			b.columns = append(b.columns, key)
		}
		next = i + 1
		for len(b.cells) <= i {
			b.cells = append(b.cells, nil)
		}
		b.cells[i] = b.cells[i][:0] // the last of equal keys wins
		return b.column(p, i)
	})
	if err != nil {
		return err
	}
	return b.transpose()
}

// column looks for a name, first where it is most likely.
func column(columns []string, name string, likely int) int {
	if likely < len(columns) && columns[likely] == name {
		return likely
	}
	return slices.Index(columns, name)
}

// column reads the value or values of column i.
func (b *batch) column(p *parser, i int) error {
	one := func() error {
		v, err := b.cell(p)
		b.cells[i] = append(b.cells[i], v)
		return err
	}
	if p.peek() == '[' {
		return p.array(one)
	}
	return one()
}

// transpose turns the columns of one object into rows.
func (b *batch) transpose() error {
	if len(b.columns) == 0 {
		return fmt.Errorf("instance %d has no features", b.x.Rows)
	}
	for i, name := range b.columns {
		if i >= len(b.cells) || len(b.cells[i]) == 0 {
			return fmt.Errorf("instance %d has no feature %q", b.x.Rows, name)
		}
		if len(b.cells[i]) != len(b.cells[0]) {
			return fmt.Errorf("the features of instance %d have different lengths", b.x.Rows)
		}
	}
	for row := range b.cells[0] {
		for i := range b.columns {
			b.x.Data = append(b.x.Data, b.cells[i][row])
		}
		if err := b.added(len(b.columns)); err != nil {
			return err
		}
	}
	return nil
}

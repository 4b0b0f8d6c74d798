// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/serin-dev/serin/internal/model/format/sklearn"
)

// batch is a request as a matrix, and the memory that requests reuse.
type batch struct {
	features []string // the model's own names of its columns, if it has any
	width    int      // how many columns it has
	x        sklearn.Matrix
	objects

	classes       []int
	probabilities []float64
	out           []byte
}

// inputError is an error of a request with the text that KServe, or scikit-learn,
// has for it.
type inputError string

func (e inputError) Error() string { return string(e) }

// parse reads {"instances": [row, ...]}, or "inputs", which wins if both are
// there. A row is a list of numbers, or an object of numbers by column. A structured
// CloudEvent has such an object as its data.
func (b *batch) parse(body []byte) error {
	if !utf8.Valid(body) {
		return inputError("Unrecognized request format: the body is not valid UTF-8")
	}
	p := &parser{data: body}
	var event envelope
	problem, err := b.request(p, &event)
	if err == nil {
		err = p.end()
	}
	if err == nil && event.has == wholeEnvelope {
		data := event.data
		problem, err = b.request(&data, &event) // an event in an event is none
	}
	if err != nil {
		return inputError("Unrecognized request format: " + err.Error())
	}
	return problem
}

// request reads a value to its end. It returns the problem of the rows that count,
// and an error if the value is no JSON.
func (b *batch) request(p *parser, event *envelope) (problem, err error) {
	if p.peek() != '{' {
		return inputError("Unrecognized request format: not a JSON object"), p.skip()
	}
	problem = inputError("'instances'")
	found := ""
	err = p.object(func(key string) error {
		event.note(key, p)
		if key != "inputs" && (key != "instances" || found == "inputs") {
			return p.skip()
		}
		found = key
		// The problem of these rows does not matter if the key occurs again, so
		// skip them and go on.
		start := *p
		if p.peek() == '[' {
			problem = b.rows(p)
		} else {
			problem = inputError(fmt.Sprintf("Expected %q to be a list", key))
		}
		if problem == nil {
			return nil
		}
		*p = start
		return p.skip()
	})
	return problem, err
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
			err = b.object(p, false)
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

// list reads [number, ...] as one row, or [object, ...] as several.
func (b *batch) list(p *parser) error {
	inside := *p
	inside.pos++
	if inside.peek() == '{' {
		return p.array(func() error { return b.record(p) })
	}
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
		return b.text(p)
	case '[':
		return 0, inputError("Found array with dim 3, but the model works on rows of numbers")
	case '{':
		return 0, fmt.Errorf("instance %d holds an object, but the model works on numbers", b.x.Rows)
	}
	return p.number()
}

// text reads a number that was sent as a string.
func (b *batch) text(p *parser) (float64, error) {
	s, err := p.text()
	if err != nil {
		return 0, err
	}
	v, ok := pythonFloat(s)
	if !ok {
		const most = 40 // characters to repeat
		if short := []rune(s[:min(len(s), 4*most)]); len(short) > most {
			s = string(short[:most]) + "..."
		}
		return 0, inputError("could not convert string to float: '" + s + "'")
	}
	return v, nil
}

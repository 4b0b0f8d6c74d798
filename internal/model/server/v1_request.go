// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/serin-dev/serin/internal/model/frame"
)

// inputError is an error of a request with the text that KServe, or scikit-learn,
// has for it.
type inputError string

func (e inputError) Error() string { return string(e) }

// unrecognized begins the errors of bodies that are no requests, as in KServe.
const unrecognized = "Unrecognized request format: "

// parse reads {"instances": [row, ...]}, or "inputs", which wins if both are
// there. A row is a list of numbers, or an object of numbers by column. A structured
// CloudEvent has such an object as its data.
func (b *batch) parse(body []byte) error {
	if !utf8.Valid(body) {
		return inputError(unrecognized + "the body is not valid UTF-8")
	}
	p := &parser{data: body, batch: b}
	var event envelope
	problem, err := b.request(p, &event)
	if err == nil {
		err = p.end()
	}
	if err == nil && event.has == wholeEnvelope {
		data := event.data
		problem, err = b.request(&data, &event) // an event in an event is none
	}
	if _, ok := errors.AsType[*refusal](err); ok {
		return err
	}
	if err != nil {
		return inputError(unrecognized + err.Error())
	}
	return problem
}

// request reads a value to its end. It returns the problem of the rows that count,
// and an error if the value is no JSON.
func (b *batch) request(p *parser, event *envelope) (problem, err error) {
	if p.peek() != '{' {
		return inputError(unrecognized + "not a JSON object"), p.skip()
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
		if _, ok := errors.AsType[*refusal](problem); ok || problem == nil {
			return problem
		}
		*p = start
		return p.skip()
	})
	return problem, err
}

// rows reads a list of rows into the frame.
func (b *batch) rows(p *parser) error {
	b.x = frame.Frame{Data: b.x.Data[:0], Texts: b.x.Texts[:0]}
	b.texts, b.lists = false, false
	b.columns, b.places = b.schema.Names, places{}
	err := p.array(func() error {
		switch first := p.peek(); {
		case b.schema.Flat:
			return b.single(p)
		case first == '[':
			return b.list(p)
		case first == '{':
			return b.object(p, false)
		case b.schema.Open && (b.x.Rows == 0 || b.x.Flat):
			b.x.Flat = true
			return b.single(p)
		}
		return inputError("Expected 2D array, got 1D array instead: each instance must be a list of numbers")
	})
	switch {
	case err != nil:
		return err
	case b.x.Rows == 0:
		return inputError("Expected 2D array, got 1D array instead: there are no instances")
	case b.texts:
		b.pad()
	}
	if !b.lists {
		b.x.Names = b.columns
	}
	return nil
}

// single reads a value as a row.
func (b *batch) single(p *parser) error {
	if c := p.peek(); c == '[' || c == '{' {
		return fmt.Errorf("instance %d is not a single value, but the model works on those", b.x.Rows)
	}
	b.lists = true
	v, err := b.cell(p, 0)
	if err != nil {
		return err
	}
	b.put(v)
	return b.added(1)
}

// list reads [number, ...] as one row, or [object, ...] as several.
func (b *batch) list(p *parser) error {
	inside := *p
	inside.pos++
	if inside.peek() == '{' {
		return p.array(func() error { return b.record(p) })
	}
	b.lists = true
	before := len(b.x.Data)
	err := p.array(func() error {
		v, err := b.cell(p, len(b.x.Data)-before)
		b.x.Data = append(b.x.Data, v)
		if b.texts {
			b.keep(v)
		}
		if err != nil || b.mixed() {
			return err
		}
		for p.another() {
			if v, err = p.number(); err != nil {
				return err
			}
			b.x.Data = append(b.x.Data, v)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return b.added(len(b.x.Data) - before)
}

// cell reads one value of a column. Where the model wants numbers, it reads them as
// numpy would: null is missing, and bools count. If the value is frame.Text, b.last
// is the string.
func (b *batch) cell(p *parser, column int) (float64, error) {
	switch p.peek() {
	case 'n':
		if b.schema.Kind(column) == frame.Numbers {
			return math.NaN(), p.word("null")
		}
		return frame.None, p.word("null")
	case 't':
		return 1, p.word("true")
	case 'f':
		return 0, p.word("false")
	case '"':
		return b.text(p, column)
	case '[':
		return 0, inputError("Found array with dim 3, but the model works on rows of numbers")
	case '{':
		return 0, fmt.Errorf("instance %d holds an object, but the model works on numbers", b.x.Rows)
	}
	var l literal
	if err := p.scan(&l); err != nil {
		return 0, err
	}
	v, err := p.float(&l)
	if l.integer && math.Abs(v) >= exact && b.schema.Kind(column) != frame.Numbers {
		return 0, fmt.Errorf("instance %d has an integer of 2^53 or more in a column of categories, where it may be rounded: send it as a string, or smaller", b.x.Rows)
	}
	return v, err
}

// text reads a string, or a number that was sent as one.
func (b *batch) text(p *parser, column int) (float64, error) {
	s, err := p.text()
	switch {
	case err != nil:
		return 0, err
	case b.schema.Kind(column) == frame.Numbers:
		return frame.Float(s)
	}
	b.texts, b.last = true, s
	return frame.Text, nil
}

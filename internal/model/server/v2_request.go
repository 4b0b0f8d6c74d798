// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// call is what a V2 request says beside its inputs.
type call struct {
	id string
	parameters
	requested bool // some outputs are asked for by name
}

// parameters are those that mean something here.
type parameters struct {
	contentType string // "pd": each input is a column of a DataFrame
	binary      bool   // answer in binary
	rawBytes    int64  // size of an input's binary data, or -1
}

// outputName is how KServe's server names its one output.
const outputName = "output-0"

// schemaError is about JSON that is no V2 request. Its kinds and texts are those of
// KServe's server.
type schemaError struct {
	kind, message string
	where         []any
}

func (e *schemaError) Error() string {
	place := "the body"
	for i, part := range e.where {
		if i == 0 {
			place = fmt.Sprint(part)
		} else {
			place += fmt.Sprintf(".%v", part)
		}
	}
	return e.message + ": " + place
}

func missing(where ...any) error { return &schemaError{"missing", "Field required", where} }

func wants(kind, what string, where ...any) error {
	return &schemaError{kind, "Input should be a valid " + what, where}
}

// inferRequest reads the JSON of a V2 request, and its binary tensors.
func (b *batch) inferRequest(model string, body, tail []byte) (call, error) {
	b.inputs = b.inputs[:0]
	c := call{parameters: parameters{rawBytes: -1}}
	p := &parser{data: body, batch: b}
	if !utf8.Valid(body) {
		return c, &syntaxError{"the body is not valid UTF-8", 0}
	}
	if first := p.peek(); first != '{' {
		if err := p.skip(); err != nil {
			return c, err
		}
		return c, &schemaError{"model_attributes_type", "Input should be an object", nil}
	}
	found, everywhere := false, false
	err := p.object(func(key string) (err error) {
		switch key {
		case "id":
			c.id, err = p.optionalString(key)
		case "inputs":
			found, b.inputs = true, b.inputs[:0]
			err = b.inputList(p)
		case "outputs":
			c.requested, everywhere, err = outputList(p, model)
		case "parameters":
			c.parameters, err = p.parameters(key)
		default:
			err = p.skip()
		}
		return err
	})
	if err == nil {
		err = p.end()
	}
	switch {
	case err != nil:
		return c, err
	case !found:
		return c, missing("inputs")
	case c.requested:
		c.binary = everywhere
	}
	return c, b.tails(tail)
}

// tails reads the binary tensors, which follow each other in the order of the inputs.
func (b *batch) tails(tail []byte) error {
	for i := range b.inputs {
		t := &b.inputs[i]
		if t.rawBytes < 0 {
			continue
		}
		if t.rawBytes > int64(len(tail)) {
			return fmt.Errorf("input %q has %d bytes of binary data, but the body has only %d more", t.name, t.rawBytes, len(tail))
		}
		if err := b.readRaw(t, tail[:t.rawBytes]); err != nil {
			return err
		}
		tail = tail[t.rawBytes:]
	}
	if len(tail) > 0 {
		return fmt.Errorf("the body has %d bytes after the last tensor", len(tail))
	}
	return nil
}

func (b *batch) inputList(p *parser) error {
	if p.peek() != '[' {
		return wants("list_type", "list", "inputs")
	}
	return p.array(func() error {
		i := len(b.inputs)
		if p.peek() != '{' {
			return wants("model_attributes_type", "dictionary", "inputs", i)
		}
		t, err := b.next()
		if err != nil {
			return err
		}
		return t.parse(p, i)
	})
}

// parse reads one input. Its data is read at once if its datatype is known by then.
func (t *tensor) parse(p *parser, i int) error {
	var has struct{ name, shape, datatype, read bool }
	var data parser
	err := p.object(func(key string) (err error) {
		switch key {
		case "name":
			has.name = true
			t.name, err = p.string("inputs", i, key)
		case "shape":
			has.shape = true
			err = t.parseShape(p, i)
		case "datatype":
			has.datatype, has.read = true, false
			err = t.parseDatatype(p, i)
		case "parameters":
			var c parameters
			c, err = p.parameters("inputs", i, key)
			t.rawBytes = c.rawBytes
		case "data":
			if p.peek() != '[' {
				return wants("list_type", "list", "inputs", i, key)
			}
			data, has.read = *p, has.datatype
			if !has.datatype {
				return p.skip()
			}
			err = t.read(p)
		default:
			err = p.skip()
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case !has.name:
		return missing("inputs", i, "name")
	case !has.shape:
		return missing("inputs", i, "shape")
	case !has.datatype:
		return missing("inputs", i, "datatype")
	case data.data == nil && t.rawBytes < 0:
		return missing("inputs", i, "data")
	case data.data == nil:
		return nil
	}
	t.rawBytes = -1 // the data counts, as in KServe
	if has.read {
		return nil
	}
	return t.read(&data)
}

func (t *tensor) parseShape(p *parser, i int) error {
	if p.peek() != '[' {
		return wants("list_type", "list", "inputs", i, "shape")
	}
	t.shape = t.shape[:0]
	return p.array(func() error {
		n := len(t.shape)
		if n == maxDims {
			return errTooManyDims
		}
		d, err := p.integer("inputs", i, "shape", n)
		t.shape = append(t.shape, d)
		return err
	})
}

func (t *tensor) parseDatatype(p *parser, i int) error {
	name, err := p.string("inputs", i, "datatype")
	if err != nil {
		return err
	}
	return t.setDatatype(name)
}

func (t *tensor) setDatatype(name string) error {
	if t.typ = datatypeOf(name); t.typ == nil {
		return fmt.Errorf("invalid datatype %q in the input: it must be one of BOOL, INT8 to INT64, UINT8 to UINT64, FP16 to FP64, BYTES", short(name))
	}
	return nil
}

// unexpectedOutput is KServe's error of an output that there is not.
func unexpectedOutput(name, model string) error {
	return inputError(fmt.Sprintf("Unexpected inference output '%s' for model '%s': its one output is %s", short(name), model, outputName))
}

// outputList reads the outputs that are asked for. It reports whether there are some,
// and whether their data shall be binary.
func outputList(p *parser, model string) (some, binary bool, err error) {
	if p.peek() == 'n' {
		return false, false, p.word("null")
	}
	if p.peek() != '[' {
		return false, false, wants("list_type", "list", "outputs")
	}
	n := 0
	err = p.array(func() error {
		if p.peek() != '{' {
			return wants("model_attributes_type", "dictionary", "outputs", n)
		}
		name, named := "", false
		err := p.object(func(key string) (err error) {
			switch key {
			case "name":
				named = true
				name, err = p.string("outputs", n, key)
			case "parameters":
				var c parameters
				c, err = p.parameters("outputs", n, key)
				binary = c.binary
			default:
				err = p.skip()
			}
			return err
		})
		n++
		switch {
		case err != nil:
			return err
		case !named:
			return missing("outputs", n-1, "name")
		case name != outputName:
			return unexpectedOutput(name, model)
		case n > 1:
			return inputError("The output " + outputName + " is asked for twice")
		}
		return nil
	})
	return n > 0, binary, err
}

// parameters reads parameters, which are strings, numbers and bools by name.
func (p *parser) parameters(where ...any) (parameters, error) {
	c := parameters{rawBytes: -1}
	switch p.peek() {
	case 'n':
		return c, p.word("null")
	case '{':
	default:
		return c, wants("dict_type", "dictionary", where...)
	}
	return c, p.object(func(key string) (err error) {
		first := p.peek()
		switch {
		case first == '[' || first == '{' || first == 'n':
			return wants("string_type", "string, number or bool", append(where, key)...)
		case key == "content_type" && first == '"':
			c.contentType, err = p.text()
		case key == "binary_data_size" && first == '"':
			err = wants("int_type", "integer", append(where, key)...)
		case key == "binary_data_size":
			c.rawBytes, err = p.integer(append(where, key)...)
			if err == nil && c.rawBytes < 0 {
				err = inputError("binary_data_size is negative")
			}
		case (key == "binary_data" || key == "binary_data_output") && (first == 't' || first == 'f'):
			c.binary = first == 't'
			err = p.skip()
		default:
			err = p.skip()
		}
		return err
	})
}

func (p *parser) string(where ...any) (string, error) {
	if p.peek() != '"' {
		return "", wants("string_type", "string", where...)
	}
	return p.text()
}

func (p *parser) optionalString(key string) (string, error) {
	if p.peek() == 'n' {
		return "", p.word("null")
	}
	return p.string(key)
}

// integer reads a whole number, which may also be written as 2.0 or "2".
func (p *parser) integer(where ...any) (int64, error) {
	if p.peek() == '"' {
		s, err := p.text()
		if err != nil {
			return 0, err
		}
		inner := &parser{data: []byte(s)}
		d, err := inner.integer(where...)
		if err != nil || inner.end() != nil {
			return 0, wants("int_parsing", "integer", where...)
		}
		return d, nil
	}
	v, err := p.number()
	if _, ok := errors.AsType[*syntaxError](err); ok && p.pos < len(p.data) {
		return 0, wants("int_type", "integer", where...)
	}
	switch {
	case err != nil:
		return 0, err
	case v != math.Trunc(v):
		return 0, wants("int_from_float", "integer, got a number with a fractional part", where...)
	case math.Abs(v) > exact:
		return 0, inputError("a size in the request is too large")
	}
	return int64(v), nil
}

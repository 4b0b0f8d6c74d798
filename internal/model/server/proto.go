// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"fmt"
	"slices"
	"unicode/utf8"
	"unsafe"

	"google.golang.org/protobuf/encoding/protowire"
)

// The messages of inference.GRPCInferenceService, read without generated code:
// https://github.com/kserve/open-inference-protocol. Unknown fields are skipped.

var errWire = errors.New("the message is not valid protobuf")

// field is one field of a message: a number, or the bytes of a string or message.
type field struct {
	number int
	kind   protowire.Type
	varint uint64 // also of fixed sizes
	bytes  []byte
}

// fields calls each for the fields of a message, in their order.
func fields(data []byte, each func(f field) error) error {
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return errWire
		}
		data = data[n:]
		f := field{number: int(number), kind: kind}
		switch kind {
		case protowire.VarintType:
			f.varint, n = protowire.ConsumeVarint(data)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(data)
			f.varint = uint64(v)
		case protowire.Fixed64Type:
			f.varint, n = protowire.ConsumeFixed64(data)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(data)
		default:
			n = protowire.ConsumeFieldValue(number, kind, data)
		}
		if n < 0 {
			return errWire
		}
		data = data[n:]
		if err := each(f); err != nil {
			return err
		}
	}
	return nil
}

// text returns a string, which lies in the message.
func (f *field) text() (string, error) {
	if f.kind != protowire.BytesType || !utf8.Valid(f.bytes) {
		return "", errWire
	}
	return unsafe.String(unsafe.SliceData(f.bytes), len(f.bytes)), nil
}

// message returns the bytes of a message.
func (f *field) message() ([]byte, error) {
	if f.kind != protowire.BytesType {
		return nil, errWire
	}
	return f.bytes, nil
}

// each calls value for the numbers of a repeated field, which may be packed.
func (f *field) each(kind protowire.Type, value func(v uint64) error) error {
	if f.kind == kind {
		return value(f.varint)
	}
	if f.kind != protowire.BytesType {
		return errWire
	}
	for data := f.bytes; len(data) > 0; {
		var v uint64
		var n int
		switch kind {
		case protowire.Fixed32Type:
			var single uint32
			single, n = protowire.ConsumeFixed32(data)
			v = uint64(single)
		case protowire.Fixed64Type:
			v, n = protowire.ConsumeFixed64(data)
		default:
			v, n = protowire.ConsumeVarint(data)
		}
		if n < 0 {
			return errWire
		}
		data = data[n:]
		if err := value(v); err != nil {
			return err
		}
	}
	return nil
}

// protoRequest is what a ModelInferRequest says beside its tensors.
type protoRequest struct {
	model, version string
	call
}

// inferMessage reads a ModelInferRequest. Its strings lie in data.
func (b *batch) inferMessage(data []byte) (protoRequest, error) {
	b.inputs = b.inputs[:0]
	var r protoRequest
	var raws, contents [][]byte
	err := fields(data, func(f field) (err error) {
		switch f.number {
		case 1:
			r.model, err = f.text()
		case 2:
			r.version, err = f.text()
		case 3:
			r.id, err = f.text()
		case 4:
			err = protoParameter(f, &r.contentType)
		case 5:
			var values []byte
			values, err = b.protoInput(f)
			contents = append(contents, values)
		case 6:
			err = protoOutput(f, r.model)
		case 7:
			if len(raws) == maxInputs {
				return errWire
			}
			var raw []byte
			raw, err = f.message()
			raws = append(raws, raw)
		}
		return err
	})
	switch {
	case err != nil:
		return r, err
	case len(raws) > 0 && len(raws) != len(b.inputs):
		return r, fmt.Errorf("the number of inputs (%d) does not match the expected number of raw input contents (%d)", len(b.inputs), len(raws))
	}
	r.binary = len(raws) > 0
	for i := range b.inputs {
		t := &b.inputs[i]
		switch {
		case t.typ == nil:
			return r, fmt.Errorf("input %q has no datatype", t.name)
		case r.binary && contents[i] != nil:
			return r, fmt.Errorf("contents field must not be specified when using raw_input_contents for input %q", t.name)
		case r.binary:
			err = b.readRaw(t, raws[i])
		default:
			if err = b.room(t, t.typ.countContents(contents[i])); err == nil {
				err = t.contents(contents[i])
			}
		}
		if err != nil {
			return r, err
		}
	}
	return r, nil
}

// protoParameter reads an entry of parameters, and sets content_type if it is that.
func protoParameter(f field, contentType *string) error {
	entry, err := f.message()
	if err != nil {
		return err
	}
	var key, value string
	err = fields(entry, func(f field) (err error) {
		switch f.number {
		case 1:
			key, err = f.text()
		case 2:
			var parameter []byte
			if parameter, err = f.message(); err != nil {
				return err
			}
			err = fields(parameter, func(f field) (err error) {
				if f.number == 3 {
					value, err = f.text()
				}
				return err
			})
		}
		return err
	})
	if key == "content_type" {
		*contentType = value
	}
	return err
}

// protoOutput reads a requested output.
func protoOutput(f field, model string) error {
	output, err := f.message()
	if err != nil {
		return err
	}
	name := ""
	err = fields(output, func(f field) (err error) {
		if f.number == 1 {
			name, err = f.text()
		}
		return err
	})
	if err == nil && name != outputName {
		err = unexpectedOutput(name, model)
	}
	return err
}

// protoInput reads an InferInputTensor, and returns its contents.
func (b *batch) protoInput(f field) (contents []byte, err error) {
	input, err := f.message()
	if err != nil {
		return nil, err
	}
	t, err := b.next()
	if err != nil {
		return nil, err
	}
	err = fields(input, func(f field) (err error) {
		switch f.number {
		case 1:
			t.name, err = f.text()
		case 2:
			var name string
			if name, err = f.text(); err == nil {
				err = t.setDatatype(name)
			}
		case 3:
			err = f.each(protowire.VarintType, func(v uint64) error {
				if len(t.shape) == maxDims {
					return errTooManyDims
				}
				t.shape = append(t.shape, int64(v))
				return nil
			})
		case 5:
			var more []byte
			more, err = f.message()
			switch {
			case contents == nil && len(more) == 0:
				contents = []byte{} // it was sent
			case contents == nil:
				contents = slices.Clip(more)
			default:
				contents = append(contents, more...) // messages of one field are merged
			}
		}
		return err
	})
	return contents, err
}

// contentsOf is the field of InferTensorContents for a datatype: its number, and how
// its values are written.
func (d *datatype) contentsOf() (protowire.Number, protowire.Type) {
	switch {
	case d.kind == truths:
		return 1, protowire.VarintType
	case d.kind == integers && d.size < 8:
		return 2, protowire.VarintType
	case d.kind == integers:
		return 3, protowire.VarintType
	case d.kind == naturals && d.size < 8:
		return 4, protowire.VarintType
	case d.kind == naturals:
		return 5, protowire.VarintType
	case d.kind == texts:
		return 8, protowire.BytesType
	case d.size == 4:
		return 6, protowire.Fixed32Type
	case d.size == 8:
		return 7, protowire.Fixed64Type
	}
	return 0, protowire.BytesType // FP16
}

// countContents returns how many values there are at most in an InferTensorContents.
func (d *datatype) countContents(data []byte) int {
	switch _, kind := d.contentsOf(); kind {
	case protowire.Fixed32Type, protowire.Fixed64Type:
		return len(data) / d.size
	case protowire.BytesType:
		return len(data) / 2
	default: // each number has one byte without the highest bit
		n := 0
		for _, c := range data {
			if c < 1<<7 {
				n++
			}
		}
		return n
	}
}

// contents reads an InferTensorContents.
func (t *tensor) contents(data []byte) error {
	t.clear()
	number, kind := t.typ.contentsOf()
	return fields(data, func(f field) error {
		switch {
		case f.number != int(number) && f.number <= 8:
			return fmt.Errorf("input %q has values in a field of contents that is not that of %s: send raw_input_contents, or the field", t.name, t.typ.name)
		case f.number != int(number):
			return nil
		case kind == protowire.BytesType:
			s, err := f.message()
			if err != nil {
				return err
			}
			return t.addBytes(s)
		case kind != protowire.VarintType && f.kind == protowire.BytesType && len(f.bytes)%t.typ.size == 0:
			t.addFloats(f.bytes)
			return nil
		}
		return f.each(kind, t.addWire)
	})
}

// addWire adds a number as protobuf writes it.
func (t *tensor) addWire(v uint64) error {
	size := 8 * t.typ.size
	switch t.typ.kind {
	case integers:
		if s := int64(v); s<<(64-size)>>(64-size) != s {
			return fmt.Errorf("input %q holds %d, which is out of bounds for %s", t.name, s, t.typ.name)
		}
	case naturals:
		if v<<(64-size)>>(64-size) != v {
			return fmt.Errorf("input %q holds %d, which is out of bounds for %s", t.name, v, t.typ.name)
		}
	case truths:
		if v != 0 {
			v = 1
		}
	case floats, texts:
	}
	return t.addBits(v)
}

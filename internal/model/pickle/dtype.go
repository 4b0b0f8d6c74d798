// SPDX-License-Identifier: Apache-2.0

package pickle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/serin-dev/serin/internal/model/frame"
)

const (
	maxDimensions = 64 // numpy's own limit
	maxSpec       = 16 // characters of a dtype: "<U100"
	maxItem       = 1 << 24
)

// dtype is numpy's description of one array element.
type dtype struct {
	kind     byte // b i u f c m M U S V O, as numpy has them
	size     int  // in bytes
	order    binary.ByteOrder
	fields   map[string]field // of a structure, which has kind V
	built    bool             // it had its state
	subarray bool             // an element is an array, which nothing here reads
}

type field struct {
	offset int
	dtype  dtype // a copy, as above
}

// newDtype is numpy.dtype("f8", align, copy).
func newDtype(m *machine, args Tuple) (any, error) {
	spec, ok := at[string](args, 0)
	if !ok {
		return nil, fmt.Errorf("a dtype is made of %s", Describe(arg(args, 0)))
	}
	if err := m.budget.Alloc(dtypeCost); err != nil {
		return nil, err
	}
	if len(spec) > maxSpec {
		return nil, fmt.Errorf("dtype %s is not supported", Quote(spec))
	}
	d := &dtype{order: binary.LittleEndian}
	code := strings.TrimLeft(spec, "<>=|")
	if strings.HasPrefix(spec, ">") {
		d.order = binary.BigEndian
	}
	if code == "" || !strings.Contains("biufcmMUSVO", code[:1]) {
		return nil, fmt.Errorf("dtype %s is not supported", Quote(spec))
	}
	d.kind = code[0]
	if code != "O" {
		n, err := strconv.ParseUint(code[1:], 10, 24)
		if err != nil || n >= maxItem {
			return nil, fmt.Errorf("dtype %s is not supported", Quote(spec))
		}
		d.size = int(n)
	}
	if d.kind == 'U' {
		d.size *= 4
	}
	return d, nil
}

// build takes the state (version, byte order, subarray, names, fields, size,
// alignment, flags). Only structures and strings use the fields from names on.
func (d *dtype) build(m *machine, state any) error {
	s, ok := state.(Tuple)
	if !ok || len(s) < 7 {
		return errors.New("the state of a dtype is malformed")
	}
	if d.built { // its fields would not fit another size
		return errors.New("a dtype is given a state twice")
	}
	d.built = true
	if order, _ := at[string](s, 1); order == ">" {
		d.order = binary.BigEndian
	}
	d.subarray = arg(s, 2) != any(None{})
	if size, ok := at[int64](s, 5); ok && size >= 0 && strings.IndexByte("USV", d.kind) >= 0 {
		if size >= maxItem || d.kind == 'U' && size%4 != 0 {
			return errors.New("the size of a dtype is malformed")
		}
		d.size = int(size)
	}
	fields, ok := at[*Dict](s, 4)
	if !ok {
		return nil
	}
	if d.kind != 'V' {
		return fmt.Errorf("a dtype of kind %c has fields", d.kind)
	}
	if err := m.budget.Alloc(dictCost + (dtypeCost+entryCost)*len(fields.Entries)); err != nil {
		return err
	}
	d.fields = map[string]field{}
	for name, v := range fields.Entries {
		f, _ := v.(Tuple)
		inner, ok1 := at[*dtype](f, 0)
		offset, ok2 := at[int64](f, 1)
		if !ok1 || !ok2 || offset < 0 || offset > int64(d.size-inner.size) {
			return fmt.Errorf("field %s of a dtype is malformed", Quote(name))
		}
		d.fields[name] = field{int(offset), *inner}
	}
	return nil
}

// value decodes one element.
func (d *dtype) value(b []byte) (any, error) {
	if d.kind == 'U' && !d.subarray {
		return d.text(b), nil
	}
	number := d.number()
	if number == nil {
		return nil, fmt.Errorf("values of dtype %c%d are not supported", d.kind, d.size)
	}
	switch v := number(b); {
	case d.kind == 'b':
		return v.Int != 0, nil
	case d.kind == 'f':
		return v.Float, nil
	case d.kind == 'u' && v.Int < 0: // 2^63 and beyond
		return uint64(v.Int), nil
	default:
		return v.Int, nil
	}
}

// text decodes UTF-32, padded with zeros.
func (d *dtype) text(b []byte) string {
	var s strings.Builder
	end := 0
	for ; len(b) >= 4; b = b[4:] {
		s.WriteRune(rune(d.order.Uint32(b)))
		if b[0]|b[1]|b[2]|b[3] != 0 {
			end = s.Len()
		}
	}
	return s.String()[:end]
}

// Number is a number as both of the types that estimators need. An unsigned
// integer of 2^63 and beyond is negative as Int.
type Number struct {
	Float float64
	Int   int64
}

// number returns how to decode one element, or nil if it is no number.
func (d *dtype) number() func([]byte) Number {
	if d.subarray {
		return nil
	}
	integer := func(n int64) Number { return Number{float64(n), n} }
	float := func(f float64) Number { return Number{f, int64(f)} }
	o := d.order
	switch string(d.kind) + strconv.Itoa(d.size) {
	case "b1", "u1":
		return func(b []byte) Number { return integer(int64(b[0])) }
	case "i1":
		return func(b []byte) Number { return integer(int64(int8(b[0]))) }
	case "i2":
		return func(b []byte) Number { return integer(int64(int16(o.Uint16(b)))) }
	case "u2":
		return func(b []byte) Number { return integer(int64(o.Uint16(b))) }
	case "i4":
		return func(b []byte) Number { return integer(int64(int32(o.Uint32(b)))) }
	case "u4":
		return func(b []byte) Number { return integer(int64(o.Uint32(b))) }
	case "i8":
		return func(b []byte) Number { return integer(int64(o.Uint64(b))) }
	case "u8":
		return func(b []byte) Number { n := o.Uint64(b); return Number{float64(n), int64(n)} }
	case "f2":
		return func(b []byte) Number { return float(frame.Half(o.Uint16(b))) }
	case "f4":
		return func(b []byte) Number { return float(float64(math.Float32frombits(o.Uint32(b)))) }
	case "f8":
		return func(b []byte) Number { return float(math.Float64frombits(o.Uint64(b))) }
	}
	return nil
}

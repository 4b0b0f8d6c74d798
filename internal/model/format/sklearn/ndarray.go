// SPDX-License-Identifier: Apache-2.0

package sklearn

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

const (
	maxDimensions = 64 // numpy's own limit
	maxSpec       = 16 // characters of a dtype: "<U100"
	maxItem       = 1 << 24
)

// dtype is numpy's description of one array element.
type dtype struct {
	kind   byte // b i u f U S V O, as numpy has them
	size   int  // in bytes
	order  binary.ByteOrder
	fields map[string]field // of a structure, which has kind V
	built  bool             // it had its state
}

type field struct {
	offset int
	dtype  dtype // a copy, as above
}

// newDtype is numpy.dtype("f8", align, copy).
func newDtype(m *machine, args tuple) (any, error) {
	spec, ok := at[string](args, 0)
	if !ok {
		return nil, fmt.Errorf("a dtype is made of %s", describe(arg(args, 0)))
	}
	if err := m.budget.alloc(dtypeCost); err != nil {
		return nil, err
	}
	if len(spec) > maxSpec {
		return nil, fmt.Errorf("dtype %s is not supported", quote(spec))
	}
	d := &dtype{order: binary.LittleEndian}
	code := strings.TrimLeft(spec, "<>=|")
	if strings.HasPrefix(spec, ">") {
		d.order = binary.BigEndian
	}
	if code == "" || !strings.Contains("biufUSVO", code[:1]) {
		return nil, fmt.Errorf("dtype %s is not supported", quote(spec))
	}
	d.kind = code[0]
	if code != "O" {
		n, err := strconv.ParseUint(code[1:], 10, 24)
		if err != nil || n >= maxItem {
			return nil, fmt.Errorf("dtype %s is not supported", quote(spec))
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
	s, ok := state.(tuple)
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
	if arg(s, 2) != any(none{}) {
		return errors.New("a dtype holds subarrays, which are not supported")
	}
	if size, ok := at[int64](s, 5); ok && size >= 0 && strings.IndexByte("USV", d.kind) >= 0 {
		if size >= maxItem || d.kind == 'U' && size%4 != 0 {
			return errors.New("the size of a dtype is malformed")
		}
		d.size = int(size)
	}
	fields, ok := at[*dict](s, 4)
	if !ok {
		return nil
	}
	if d.kind != 'V' {
		return fmt.Errorf("a dtype of kind %c has fields", d.kind)
	}
	if err := m.budget.alloc(dictCost + (dtypeCost+entryCost)*len(fields.entries)); err != nil {
		return err
	}
	d.fields = map[string]field{}
	for name, v := range fields.entries {
		f, _ := v.(tuple)
		inner, ok1 := at[*dtype](f, 0)
		offset, ok2 := at[int64](f, 1)
		if !ok1 || !ok2 || offset < 0 || offset > int64(d.size-inner.size) {
			return fmt.Errorf("field %s of a dtype is malformed", quote(name))
		}
		d.fields[name] = field{int(offset), *inner}
	}
	return nil
}

// ndarray is numpy's array. Its elements stay encoded until a builder decodes
// them.
type ndarray struct {
	dtype   dtype // a copy, so that later opcodes do not change it
	shape   []int
	fortran bool // the first index varies fastest
	data    []byte
	objects []any // instead of data when the elements are Python objects
}

// reconstructArray makes the empty array that a state then fills.
func reconstructArray(m *machine, args tuple) (any, error) {
	if class, ok := at[*global](args, 0); !ok || class.name != "numpy.ndarray" {
		return nil, fmt.Errorf("an array is of class %s", describe(arg(args, 0)))
	}
	return &ndarray{}, m.budget.alloc(arrayCost)
}

// build takes the state (version, shape, dtype, is Fortran, elements).
func (a *ndarray) build(m *machine, state any) error {
	s, ok := state.(tuple)
	if !ok || len(s) != 5 {
		return errors.New("the state of an array is malformed")
	}
	fortran, _ := at[bool](s, 3)
	return a.fill(m, arg(s, 2), arg(s, 1), fortran, arg(s, 4))
}

// arrayFromBuffer is protocol 5's way: (buffer, dtype, shape, order).
func arrayFromBuffer(m *machine, args tuple) (any, error) {
	order, _ := at[string](args, 3)
	if order != "C" && order != "F" {
		return nil, fmt.Errorf("array order %s is not supported", quote(order))
	}
	a := &ndarray{}
	return a, a.fill(m, arg(args, 1), arg(args, 2), order == "F", arg(args, 0))
}

func (a *ndarray) fill(m *machine, kind, shape any, fortran bool, elements any) error {
	dtype, ok := kind.(*dtype)
	if !ok {
		return fmt.Errorf("the dtype of an array is %s", describe(kind))
	}
	dims, ok := shape.(tuple)
	if !ok {
		return fmt.Errorf("the shape of an array is %s", describe(shape))
	}
	if len(dims) > maxDimensions {
		return errors.New("an array has too many dimensions")
	}
	if err := m.budget.alloc(arrayCost + 16*len(dims)); err != nil {
		return err
	}
	filled := ndarray{dtype: *dtype, fortran: fortran}
	for _, dim := range dims {
		n, ok := dim.(int64)
		if !ok || n < 0 || n > math.MaxInt32 {
			return errors.New("the shape of an array is malformed")
		}
		filled.shape = append(filled.shape, int(n))
	}
	count, err := filled.count()
	if err != nil {
		return err
	}
	if dtype.kind == 'O' {
		l, ok := elements.(*list)
		if !ok || len(l.items) != count {
			return fmt.Errorf("an array of %d objects holds %s", count, describe(elements))
		}
		filled.objects = l.items
	} else {
		filled.data, err = m.bytes(elements)
		if err != nil {
			return err
		}
		if dtype.size == 0 && count > 0 || len(filled.data) != count*dtype.size {
			return fmt.Errorf("an array of %d elements holds %d bytes", count, len(filled.data))
		}
	}
	*a = filled
	return nil
}

// bytes returns the encoded elements of an array or scalar. Python 2 stored them
// as a str.
func (m *machine) bytes(v any) ([]byte, error) {
	switch v := v.(type) {
	case raw:
		return v, nil
	case string:
		if err := m.budget.alloc(len(v)); err != nil {
			return nil, err
		}
		return []byte(v), nil
	}
	return nil, fmt.Errorf("the elements of an array are %s", describe(v))
}

// count multiplies the shape without overflow.
func (a *ndarray) count() (int, error) {
	n := 1
	for _, dim := range a.shape {
		if dim != 0 && n > math.MaxInt32/dim {
			return 0, errors.New("an array is larger than any model needs")
		}
		n *= dim
	}
	return n, nil
}

// newScalar is a numpy number outside an array: (dtype, bytes).
func newScalar(m *machine, args tuple) (any, error) {
	d, ok1 := at[*dtype](args, 0)
	b, err := m.bytes(arg(args, 1))
	if err != nil {
		return nil, err
	}
	if !ok1 || len(b) != d.size {
		return nil, errors.New("a numpy scalar is malformed")
	}
	if err := m.budget.alloc(2 * len(b)); err != nil { // a text may grow as it is decoded
		return nil, err
	}
	return d.value(b)
}

// value decodes one element.
func (d *dtype) value(b []byte) (any, error) {
	switch d.kind {
	case 'b', 'i', 'u', 'f':
		if number := d.number(); number != nil {
			v := number(b)
			switch d.kind {
			case 'b':
				return v.int != 0, nil
			case 'f':
				return v.float, nil
			}
			return v.int, nil
		}
	case 'U':
		return d.text(b), nil
	}
	return nil, fmt.Errorf("values of dtype %c%d are not supported", d.kind, d.size)
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

// decoded is a number as both of the types that builders need.
type decoded struct {
	float float64
	int   int64
}

// number returns how to decode one element, or nil if it is no number.
func (d *dtype) number() func([]byte) decoded {
	integer := func(n int64) decoded { return decoded{float64(n), n} }
	float := func(f float64) decoded { return decoded{f, int64(f)} }
	o := d.order
	switch string(d.kind) + strconv.Itoa(d.size) {
	case "b1", "u1":
		return func(b []byte) decoded { return integer(int64(b[0])) }
	case "i1":
		return func(b []byte) decoded { return integer(int64(int8(b[0]))) }
	case "i2":
		return func(b []byte) decoded { return integer(int64(int16(o.Uint16(b)))) }
	case "u2":
		return func(b []byte) decoded { return integer(int64(o.Uint16(b))) }
	case "i4":
		return func(b []byte) decoded { return integer(int64(int32(o.Uint32(b)))) }
	case "u4":
		return func(b []byte) decoded { return integer(int64(o.Uint32(b))) }
	case "i8", "u8":
		return func(b []byte) decoded { return integer(int64(o.Uint64(b))) }
	case "f4":
		return func(b []byte) decoded { return float(float64(math.Float32frombits(o.Uint32(b)))) }
	case "f8":
		return func(b []byte) decoded { return float(math.Float64frombits(o.Uint64(b))) }
	}
	return nil
}

// each calls yield with every element in C order. The array has at most two
// dimensions unless it is in C order already.
func (a *ndarray) each(b *budget, yield func([]byte)) error {
	const block = 1 << 12 // elements that are charged at once
	size := a.dtype.size
	count, err := a.count()
	if err != nil {
		return err
	}
	rows, cols := 1, count
	if a.fortran && len(a.shape) > 1 && count > 0 {
		if len(a.shape) > 2 {
			return errors.New("an array in Fortran order has more than two dimensions")
		}
		rows, cols = a.shape[0], a.shape[1]
	}
	n := 0
	for r := range rows {
		for c := range cols {
			if n%block == 0 {
				if err := b.work(1 + min(block, count-n)/8); err != nil {
					return err
				}
			}
			n++
			i := c*rows + r
			yield(a.data[i*size : (i+1)*size])
		}
	}
	return nil
}

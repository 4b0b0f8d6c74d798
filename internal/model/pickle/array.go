// SPDX-License-Identifier: Apache-2.0

package pickle

import (
	"errors"
	"fmt"
	"math"
)

// Array is numpy's ndarray. Its elements stay encoded until an estimator decodes
// them.
type Array struct {
	Shape   []int
	Objects []any // the elements, if they are Python objects
	dtype   dtype // a copy, so that later opcodes do not change it
	fortran bool  // the first index varies fastest
	data    []byte
	owns    bool // data is of this array alone
	shared  bool // the file mentions the array more than once
}

// reconstructArray makes the empty array that a state then fills.
func reconstructArray(m *machine, args Tuple) (any, error) {
	if class, ok := at[*Global](args, 0); !ok || class.Module != "numpy" || class.Name != "ndarray" {
		return &Object{Class: &Global{Module: "numpy", Name: "a subclass of ndarray"}, Args: args}, m.budget.Alloc(objectCost)
	}
	return &Array{}, m.budget.Alloc(arrayCost)
}

// build takes the state (version, shape, dtype, is Fortran, elements).
func (a *Array) build(m *machine, state any) error {
	s, ok := state.(Tuple)
	if !ok || len(s) != 5 {
		return errors.New("the state of an array is malformed")
	}
	fortran, _ := at[bool](s, 3)
	return a.fill(m, arg(s, 2), arg(s, 1), fortran, arg(s, 4))
}

// arrayFromBuffer is protocol 5's way: (buffer, dtype, shape, order).
func arrayFromBuffer(m *machine, args Tuple) (any, error) {
	order, _ := at[string](args, 3)
	if order != "C" && order != "F" {
		return nil, fmt.Errorf("array order %s is not supported", Quote(order))
	}
	a := &Array{}
	return a, a.fill(m, arg(args, 1), arg(args, 2), order == "F", arg(args, 0))
}

func (a *Array) fill(m *machine, kind, shape any, fortran bool, elements any) error {
	dtype, ok := kind.(*dtype)
	if !ok {
		return fmt.Errorf("the dtype of an array is %s", Describe(kind))
	}
	dims, ok := shape.(Tuple)
	if !ok {
		return fmt.Errorf("the shape of an array is %s", Describe(shape))
	}
	if len(dims) > maxDimensions {
		return errors.New("an array has too many dimensions")
	}
	if err := m.budget.Alloc(arrayCost + 16*len(dims)); err != nil {
		return err
	}
	filled := Array{dtype: *dtype, fortran: fortran}
	for _, dim := range dims {
		n, ok := dim.(int64)
		if !ok || n < 0 || n > math.MaxInt32 {
			return errors.New("the shape of an array is malformed")
		}
		filled.Shape = append(filled.Shape, int(n))
	}
	count, err := filled.Count()
	if err != nil {
		return err
	}
	if dtype.kind == 'O' {
		l, ok := elements.(*List)
		if !ok || len(l.Items) != count {
			return fmt.Errorf("an array of %d objects holds %s", count, Describe(elements))
		}
		filled.Objects = l.Items
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
	case Bytes:
		return v, nil
	case string:
		if err := m.budget.Alloc(len(v)); err != nil {
			return nil, err
		}
		return []byte(v), nil
	}
	return nil, fmt.Errorf("the elements of an array are %s", Describe(v))
}

// Count returns the number of elements: it multiplies the shape without overflow.
func (a *Array) Count() (int, error) {
	n := 1
	for _, dim := range a.Shape {
		if dim != 0 && n > math.MaxInt32/dim {
			return 0, errors.New("an array is larger than any model needs")
		}
		n *= dim
	}
	return n, nil
}

// newScalar is a numpy number outside an array: (dtype, bytes).
func newScalar(m *machine, args Tuple) (any, error) {
	d, ok1 := at[*dtype](args, 0)
	b, err := m.bytes(arg(args, 1))
	if err != nil {
		return nil, err
	}
	if !ok1 || len(b) != d.size {
		return nil, errors.New("a numpy scalar is malformed")
	}
	if err := m.budget.Alloc(2 * len(b)); err != nil { // a text may grow as it is decoded
		return nil, err
	}
	v, err := d.value(b)
	if err != nil { // a date, say
		return &Object{Class: &Global{Module: "numpy", Name: "a scalar"}, Args: args}, m.budget.Alloc(objectCost)
	}
	return v, nil
}

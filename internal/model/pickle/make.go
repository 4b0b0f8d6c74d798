// SPDX-License-Identifier: Apache-2.0

package pickle

import (
	"errors"
	"strings"

	"github.com/serin-dev/serin/internal/model/budget"
)

// Field is a field of a structure: its name, and its type as numpy writes it ("<f8").
type Field struct{ Name, Type string }

// NewArray makes an array of encoded elements, for readers of other files. Its elements
// have a type as numpy writes it, or are structures of packed fields.
func NewArray(b *budget.Budget, kind string, fields []Field, shape []int64, fortran bool, data []byte) (*Array, error) {
	m := newMachine(&source{budget: b})
	d, err := structure(m, kind, fields)
	if err != nil {
		return nil, err
	}
	var dims Tuple
	for _, n := range shape {
		dims = append(dims, n)
	}
	a := &Array{}
	if err := a.fill(m, d, dims, fortran, Bytes(data)); err != nil {
		return nil, err
	}
	a.owns = true
	return a, nil
}

// structure makes a dtype.
func structure(m *machine, kind string, fields []Field) (*dtype, error) {
	if len(fields) == 0 {
		v, err := newDtype(m, Tuple{kind})
		d, ok := v.(*dtype)
		if err == nil && (!ok || d.kind == 'O') {
			err = errors.New("an array of numbers holds objects")
		}
		return d, err
	}
	d := &dtype{kind: 'V', fields: map[string]field{}}
	for _, f := range fields {
		inner, err := structure(m, f.Type, nil)
		if err != nil {
			return nil, err
		}
		if err := m.budget.Alloc(entryCost + len(f.Name)); err != nil {
			return nil, err
		}
		if f.Name != "" { // padding has none
			d.fields[f.Name] = field{d.size, *inner}
		}
		if d.size += inner.size; d.size > maxItem {
			return nil, errors.New("a structure is too large")
		}
	}
	return d, nil
}

// NewObjects makes an array of values.
func NewObjects(b *budget.Budget, items []any, shape []int64) (*Array, error) {
	m := newMachine(&source{budget: b})
	var dims Tuple
	for _, n := range shape {
		dims = append(dims, n)
	}
	a := &Array{}
	return a, a.fill(m, &dtype{kind: 'O'}, dims, false, &List{items})
}

// Scalar returns the one value of an array without dimensions.
func (a *Array) Scalar() (any, error) {
	if len(a.Shape) != 0 || strings.IndexByte("OV", a.dtype.kind) >= 0 {
		return nil, errors.New("a scalar is an array")
	}
	return a.dtype.value(a.data)
}

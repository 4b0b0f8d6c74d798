// SPDX-License-Identifier: Apache-2.0

package pickle

import (
	"encoding/binary"
	"errors"
	"slices"
	"unsafe"

	"github.com/serin-dev/serin/internal/model/budget"
)

// Kind is numpy's letter for the type of the elements, and Size their bytes.
func (a *Array) Kind() byte { return a.dtype.kind }

// Size is the number of bytes of an element.
func (a *Array) Size() int { return a.dtype.size }

// Numeric reports whether the elements are numbers.
func (a *Array) Numeric() bool { return a.dtype.number() != nil }

// Floats decodes the elements in C order. They may lie in the memory of the array, so
// nothing may write into them.
func (a *Array) Floats(b *budget.Budget) ([]float64, error) {
	if a.native() {
		return unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(a.data))), len(a.data)/8), nil
	}
	return numbers(a, b, func(n Number) float64 { return n.Float })
}

// Take decodes the elements in C order, into memory that the caller may write into. The
// array forgets them, unless others may need it.
func (a *Array) Take(b *budget.Budget) ([]float64, error) {
	out, err := a.Floats(b)
	switch {
	case err != nil:
		return nil, err
	case !a.native():
		a.Drop(b)
	case !a.shared:
		*a = Array{} // the memory is now the caller's
	default:
		if err := b.Alloc(len(a.data)); err != nil {
			return nil, err
		}
		out = slices.Clone(out)
	}
	return out, nil
}

// Ints decodes the elements in C order.
func (a *Array) Ints(b *budget.Budget) ([]int64, error) {
	return numbers(a, b, func(n Number) int64 { return n.Int })
}

// native reports whether the elements lie in memory as this machine has float64s.
func (a *Array) native() bool {
	const size = 8
	return a.dtype.kind == 'f' && a.dtype.size == size && !a.dtype.subarray &&
		a.dtype.order == binary.ByteOrder(binary.LittleEndian) && binary.NativeEndian.Uint16([]byte{1, 0}) == 1 &&
		(!a.fortran || len(a.Shape) < 2) && len(a.data) > 0 && uintptr(unsafe.Pointer(unsafe.SliceData(a.data)))%size == 0
}

// Drop forgets the elements, so that the memory of an array of which something
// smaller was made can be reused while the rest of a model is built. It keeps those
// that others may need.
func (a *Array) Drop(b *budget.Budget) {
	if a.shared {
		return
	}
	if a.owns {
		b.Release(len(a.data))
	}
	*a = Array{} // which nothing reads as nodes or numbers
}

func numbers[T any](a *Array, b *budget.Budget, pick func(Number) T) ([]T, error) {
	number := a.dtype.number()
	if number == nil {
		return nil, errors.New("holds no numbers")
	}
	count, err := a.Count()
	if err != nil {
		return nil, err
	}
	if err := b.Alloc(8 * count); err != nil {
		return nil, err
	}
	out := make([]T, 0, count)
	err = a.each(b, func(e []byte) { out = append(out, pick(number(e))) })
	return out, err
}

// Values decodes the elements of an array of labels or names. It charges each
// mention of a text, because printing labels copies each of them.
func (a *Array) Values(b *budget.Budget) ([]any, error) {
	count, err := a.Count()
	if err != nil {
		return nil, err
	}
	if err := b.Alloc(slotCost*count + 2*len(a.data)); err != nil {
		return nil, err
	}
	out := make([]any, 0, count)
	if a.dtype.kind != 'O' {
		var failed error
		err := a.each(b, func(e []byte) {
			if failed == nil {
				var v any
				v, failed = a.dtype.value(e)
				out = append(out, v)
			}
		})
		return out, errors.Join(err, failed)
	}
	for _, v := range a.Objects {
		if text, ok := v.(string); ok {
			if err := b.Alloc(2 * len(text)); err != nil {
				return nil, err
			}
		}
		out = append(out, v)
	}
	return out, nil
}

// Has reports whether the elements are structures with this field.
func (a *Array) Has(field string) bool {
	_, ok := a.dtype.fields[field]
	return ok
}

// Field decodes one field of structures, from the first element to the last. It
// reports whether there is such a field of numbers.
func (a *Array) Field(b *budget.Budget, name string, set func(i int, n Number)) (bool, error) {
	f, ok := a.dtype.fields[name]
	number := f.dtype.number()
	if !ok || number == nil {
		return false, nil
	}
	i := 0
	err := a.each(b, func(e []byte) {
		set(i, number(e[f.offset:f.offset+f.dtype.size]))
		i++
	})
	return true, err
}

// each calls yield with every element in C order. The array has at most two
// dimensions unless it is in C order already.
func (a *Array) each(b *budget.Budget, yield func([]byte)) error {
	const block = 1 << 12 // elements that are charged at once
	size := a.dtype.size
	count, err := a.Count()
	if err != nil {
		return err
	}
	rows, cols := 1, count
	if a.fortran && len(a.Shape) > 1 && count > 0 {
		if len(a.Shape) > 2 {
			return errors.New("an array in Fortran order has more than two dimensions")
		}
		rows, cols = a.Shape[0], a.Shape[1]
	}
	n := 0
	for r := range rows {
		for c := range cols {
			if n%block == 0 {
				if err := b.Work(1 + min(block, count-n)/8); err != nil {
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

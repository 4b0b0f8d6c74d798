// SPDX-License-Identifier: Apache-2.0

package pickle

import (
	"errors"
	"strings"
)

// joblib pickles a NumpyArrayWrapper in place of each array, and writes the
// elements directly after the opcode that completes the wrapper:
//
//	... BUILD | pad length (1 byte) | padding | elements | more opcodes ...
//
// Old versions write no padding, and an array of Python objects is a pickle of
// its own.

func isArrayWrapper(g *Global) bool {
	return g.Name == "NumpyArrayWrapper" && strings.HasSuffix(g.Module, "joblib.numpy_pickle")
}

// unwrapArray replaces the wrapper on top of the stack by its array.
func (m *machine) unwrapArray(w *Object) error {
	a := &Array{}
	kind, ok := w.State.Entries["dtype"].(*dtype)
	if !ok {
		return errors.New("a joblib array has no dtype")
	}
	if kind.kind == 'O' {
		v, err := m.nested()
		if err != nil {
			return err
		}
		if a, ok = v.(*Array); !ok {
			return errors.New("a joblib array of objects holds no array")
		}
	} else if err := m.readArray(a, kind, w.State.Entries); err != nil {
		return err
	}
	m.stack[len(m.stack)-1] = a
	return nil
}

func (m *machine) readArray(a *Array, kind *dtype, state map[string]any) error {
	if _, ok := state["numpy_array_alignment_bytes"].(int64); ok {
		n, err := m.byte()
		if err != nil {
			return err
		}
		if _, err := m.peek(uint64(n)); err != nil {
			return err
		}
	}
	shape, ok := state["shape"].(Tuple)
	if !ok {
		return errors.New("a joblib array has no shape")
	}
	size := uint64(kind.size)
	for _, dim := range shape {
		n, ok := dim.(int64)
		if !ok || n < 0 || (n > 0 && size > 1<<40/uint64(n)) {
			return errTruncated
		}
		size *= uint64(n)
	}
	elements, err := m.keep(size)
	if err != nil {
		return err
	}
	if err := a.fill(m, kind, shape, state["order"] == any("F"), Bytes(elements)); err != nil {
		return err
	}
	a.owns = true
	return nil
}

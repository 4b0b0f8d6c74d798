// SPDX-License-Identifier: Apache-2.0

package pickle

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// maxNesting bounds pickles inside pickles: joblib stores an array of Python
// objects so, and such an array could hold another one.
const maxNesting = 4

var errUnderflow = errors.New("an opcode finds too few values on the stack")

// Costs of the values of a pickle, in bytes, the slack of growing slices and maps
// included.
const (
	slotCost   = 64 // on the stack, then in a container; a scalar too
	entryCost  = 64 // in a dict or the memo
	dictCost   = 384
	arrayCost  = 192
	dtypeCost  = 96
	globalCost = 64
	objectCost = 192
)

// machine runs a pickle: a program for a stack and a memo. See
// https://docs.python.org/3/library/pickletools.html for the opcodes.
type machine struct {
	*source
	stack   []any
	marks   []int // stack heights
	memo    map[uint64]any
	nesting int
}

func newMachine(s *source) *machine { return &machine{source: s, memo: map[uint64]any{}} }

// unpickle returns the value that a pickle describes.
func unpickle(s *source) (any, error) { return newMachine(s).run() }

func (m *machine) run() (any, error) {
	for {
		at := m.pos
		op, err := m.byte()
		if err != nil {
			return nil, err
		}
		if op == opStop {
			return m.pop()
		}
		if err := m.budget.Work(1); err != nil {
			return nil, err
		}
		do := opcodes[op]
		if do == nil {
			return nil, fmt.Errorf("byte %d: no pickle opcode %#02x: the file is damaged or no pickle", at, op)
		}
		if err := do(m); err != nil {
			if errors.Is(err, errTruncated) {
				return nil, err
			}
			return nil, fmt.Errorf("byte %d: %w", at, err)
		}
	}
}

// nested runs the pickle that starts at the current position.
func (m *machine) nested() (any, error) {
	if m.nesting == maxNesting {
		return nil, errors.New("pickles are nested too deeply")
	}
	inner := newMachine(m.source)
	inner.nesting = m.nesting + 1
	return inner.run()
}

func (m *machine) push(v any) error {
	if err := m.budget.Alloc(slotCost); err != nil {
		return err
	}
	m.stack = append(m.stack, v)
	return nil
}

// floor is the height below which the current mark protects the stack.
func (m *machine) floor() int {
	if len(m.marks) == 0 {
		return 0
	}
	return m.marks[len(m.marks)-1]
}

func (m *machine) top() (any, error) {
	if len(m.stack) <= m.floor() {
		return nil, errUnderflow
	}
	return m.stack[len(m.stack)-1], nil
}

func (m *machine) pop() (any, error) {
	v, err := m.top()
	if err != nil {
		return nil, err
	}
	m.stack[len(m.stack)-1] = nil
	m.stack = m.stack[:len(m.stack)-1]
	return v, nil
}

// popN returns the last n values, oldest first, in memory of their own.
func (m *machine) popN(n int) ([]any, error) {
	if len(m.stack)-n < m.floor() {
		return nil, errUnderflow
	}
	at := len(m.stack) - n
	items := append([]any(nil), m.stack[at:]...)
	clear(m.stack[at:])
	m.stack = m.stack[:at]
	return items, nil
}

// popMark returns what was pushed since the last mark.
func (m *machine) popMark() ([]any, error) {
	if len(m.marks) == 0 {
		return nil, errors.New("an opcode finds no mark on the stack")
	}
	items, err := m.popN(len(m.stack) - m.floor())
	m.marks = m.marks[:len(m.marks)-1]
	return items, err
}

func (m *machine) store(key uint64) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	if err := m.budget.Alloc(entryCost); err != nil {
		return err
	}
	m.memo[key] = v
	return nil
}

func (m *machine) recall(key uint64) error {
	v, ok := m.memo[key]
	if !ok {
		return fmt.Errorf("no memo %d", key)
	}
	share(v)
	return m.push(v)
}

// share notes that a file mentions a value again.
func share(v any) {
	switch v := v.(type) {
	case *Object:
		v.Shared = true
	case *Array:
		v.shared = true
	}
}

// uint reads a little-endian number of 1, 2, 4 or 8 bytes.
func (m *machine) uint(size int) (uint64, error) {
	b, err := m.peek(uint64(size))
	if err != nil {
		return 0, err
	}
	var wide [8]byte
	copy(wide[:], b)
	return binary.LittleEndian.Uint64(wide[:]), nil
}

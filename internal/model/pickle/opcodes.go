// SPDX-License-Identifier: Apache-2.0

package pickle

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

const opStop = '.'

// opcodes has every opcode of protocols 0 to 5 that a model can need. Persistent
// ids, the extension registry and out-of-band buffers are left out on purpose,
// because they refer to something outside the file.
var opcodes [256]opcode

type opcode func(*machine) error

func init() { // a literal would refer to itself through machine.nested
	for _, codes := range []map[byte]opcode{valueOpcodes(), containerOpcodes(), instanceOpcodes()} {
		for code, run := range codes {
			opcodes[code] = run
		}
	}
}

// valueOpcodes push constants, numbers, text and bytes.
func valueOpcodes() map[byte]opcode {
	return map[byte]opcode{
		// Constants.
		'N':  func(m *machine) error { return m.push(None{}) },
		0x88: func(m *machine) error { return m.push(true) },
		0x89: func(m *machine) error { return m.push(false) },
		// Numbers.
		'I':  (*machine).opInt,
		'L':  (*machine).opLong,
		'F':  (*machine).opFloat,
		'G':  (*machine).opBinFloat,
		'J':  (*machine).opBinInt,
		'K':  func(m *machine) error { return m.opUint(1) },
		'M':  func(m *machine) error { return m.opUint(2) },
		0x8a: func(m *machine) error { return m.opBinLong(1) },
		0x8b: func(m *machine) error { return m.opBinLong(4) },
		// Text and bytes.
		'S':  (*machine).opQuoted,
		'V':  (*machine).opUnicodeLine,
		'T':  func(m *machine) error { return m.opString(4) },
		'U':  func(m *machine) error { return m.opString(1) },
		'X':  func(m *machine) error { return m.opString(4) },
		0x8c: func(m *machine) error { return m.opString(1) },
		0x8d: func(m *machine) error { return m.opString(8) },
		'B':  func(m *machine) error { return m.opBytes(4) },
		'C':  func(m *machine) error { return m.opBytes(1) },
		0x8e: func(m *machine) error { return m.opBytes(8) },
		0x96: func(m *machine) error { return m.opBytes(8) },
	}
}

// containerOpcodes make and fill containers, and move what is on the stack.
func containerOpcodes() map[byte]opcode {
	return map[byte]opcode{
		// Containers.
		'(':  (*machine).opMark,
		')':  func(m *machine) error { return m.push(Tuple(nil)) },
		't':  (*machine).opTuple,
		0x85: func(m *machine) error { return m.opTupleN(1) },
		0x86: func(m *machine) error { return m.opTupleN(2) },
		0x87: func(m *machine) error { return m.opTupleN(3) },
		']':  func(m *machine) error { return m.push(&List{}) },
		'l':  (*machine).opList,
		'a':  (*machine).opAppend,
		'e':  (*machine).opAppends,
		'}':  func(m *machine) error { return m.push(&Dict{}) },
		'd':  (*machine).opDict,
		's':  (*machine).opSetItem,
		'u':  (*machine).opSetItems,
		0x8f: func(m *machine) error { return m.push(&Set{}) },
		0x90: (*machine).opAddItems,
		0x91: (*machine).opFrozenSet,
		// The stack and the memo.
		'0':  func(m *machine) error { return second(m.pop()) },
		'1':  func(m *machine) error { return second(m.popMark()) },
		'2':  (*machine).opDup,
		'p':  func(m *machine) error { return m.opLine(m.store) },
		'q':  func(m *machine) error { return m.opIndex(1, m.store) },
		'r':  func(m *machine) error { return m.opIndex(4, m.store) },
		0x94: func(m *machine) error { return m.store(uint64(len(m.memo))) },
		'g':  func(m *machine) error { return m.opLine(m.recall) },
		'h':  func(m *machine) error { return m.opIndex(1, m.recall) },
		'j':  func(m *machine) error { return m.opIndex(4, m.recall) },
	}
}

// instanceOpcodes find classes and make their instances.
func instanceOpcodes() map[byte]opcode {
	return map[byte]opcode{
		// Classes and their instances.
		'c':  (*machine).opGlobal,
		0x93: (*machine).opStackGlobal,
		'R':  (*machine).opCall,
		'b':  (*machine).opBuild,
		'i':  (*machine).opInst,
		'o':  (*machine).opObj,
		0x81: (*machine).opCall,
		0x92: (*machine).opNewObjEx,
		// Framing. Frames only help a reader that streams.
		0x80: (*machine).opProto,
		0x95: func(m *machine) error { return second(m.peek(8)) },
	}
}

// second drops the value of a call made for its effect.
func second[T any](_ T, err error) error { return err }

func (m *machine) opProto() error {
	v, err := m.byte()
	if err == nil && v > 5 {
		return fmt.Errorf("pickle protocol %d is not supported", v)
	}
	return err
}

func (m *machine) opInt() error {
	s, err := m.line()
	switch {
	case err != nil:
		return err
	case s == "01":
		return m.push(true)
	case s == "00":
		return m.push(false)
	}
	return m.pushDecimal(s)
}

func (m *machine) opLong() error {
	s, err := m.line()
	if err != nil {
		return err
	}
	return m.pushDecimal(strings.TrimSuffix(s, "L"))
}

func (m *machine) pushDecimal(s string) error {
	n, err := strconv.ParseInt(s, 10, 64)
	if errors.Is(err, strconv.ErrRange) {
		return m.push(BigInt{})
	}
	if err != nil {
		return errors.New("an integer is not a number")
	}
	return m.push(n)
}

func (m *machine) opFloat() error {
	s, err := m.line()
	if err != nil {
		return err
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil && !errors.Is(err, strconv.ErrRange) {
		return errors.New("a float is not a number")
	}
	return m.push(f)
}

func (m *machine) opBinFloat() error {
	b, err := m.peek(8)
	if err != nil {
		return err
	}
	return m.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
}

func (m *machine) opBinInt() error {
	n, err := m.uint(4)
	if err != nil {
		return err
	}
	return m.push(int64(int32(n)))
}

func (m *machine) opUint(size int) error {
	n, err := m.uint(size)
	if err != nil {
		return err
	}
	return m.push(int64(n))
}

// opBinLong reads a little-endian two's complement number of any length.
func (m *machine) opBinLong(size int) error {
	n, err := m.uint(size)
	if err != nil {
		return err
	}
	b, err := m.peek(n)
	if err != nil {
		return err
	}
	if len(b) > 8 {
		return m.push(BigInt{})
	}
	var wide [8]byte
	if len(b) > 0 && b[len(b)-1] >= 0x80 {
		wide = [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}
	}
	copy(wide[:], b)
	return m.push(int64(binary.LittleEndian.Uint64(wide[:])))
}

// opQuoted reads a str as Python 2 printed it. It does not decode escapes: models
// of Python 2 have none that matter.
func (m *machine) opQuoted() error {
	s, err := m.line()
	if err != nil {
		return err
	}
	if len(s) < 2 || s[0] != s[len(s)-1] || (s[0] != '\'' && s[0] != '"') {
		return errors.New("a string has no quotes")
	}
	return m.push(s[1 : len(s)-1])
}

// opUnicodeLine reads protocol 0's text: Latin-1, with the rest, backslashes
// and line ends as \u escapes.
func (m *machine) opUnicodeLine() error {
	s, err := m.line()
	if err != nil {
		return err
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		digits := 0
		switch {
		case strings.HasPrefix(s[i:], `\u`):
			digits = 4
		case strings.HasPrefix(s[i:], `\U`):
			digits = 8
		}
		if digits == 0 {
			b.WriteRune(rune(s[i]))
			continue
		}
		if i+2+digits > len(s) {
			return errors.New("a string ends inside an escape")
		}
		r, err := strconv.ParseUint(s[i+2:i+2+digits], 16, 32)
		if err != nil {
			return errors.New("a string has a malformed escape")
		}
		b.WriteRune(rune(r))
		i += 1 + digits
	}
	return m.push(b.String())
}

func (m *machine) opString(size int) error {
	n, err := m.uint(size)
	if err != nil {
		return err
	}
	b, err := m.peek(n)
	if err != nil {
		return err
	}
	if err := m.budget.Alloc(len(b)); err != nil {
		return err
	}
	return m.push(string(b))
}

func (m *machine) opBytes(size int) error {
	n, err := m.uint(size)
	if err != nil {
		return err
	}
	b, err := m.keep(n)
	if err != nil {
		return err
	}
	return m.push(Bytes(b))
}

func (m *machine) opLine(do func(uint64) error) error {
	s, err := m.line()
	if err != nil {
		return err
	}
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return errors.New("a memo key is not a number")
	}
	return do(n)
}

func (m *machine) opIndex(size int, do func(uint64) error) error {
	n, err := m.uint(size)
	if err != nil {
		return err
	}
	return do(n)
}

func (m *machine) opDup() error {
	v, err := m.top()
	if err != nil {
		return err
	}
	return m.push(v)
}

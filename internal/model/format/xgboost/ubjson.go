// SPDX-License-Identifier: Apache-2.0

package xgboost

import (
	"encoding/binary"
	"math"
)

// ubjson reads a value of Universal Binary JSON (https://ubjson.org).
func (c *cursor) ubjson(depth int) (any, error) {
	kind, err := c.take(1)
	if err != nil {
		return nil, err
	}
	return c.ubjsonOf(kind[0], depth)
}

// sizes has the bytes of each type of numbers.
var sizes = map[byte]int{'i': 1, 'U': 1, 'I': 2, 'l': 4, 'L': 8, 'd': 4, 'D': 8}

func (c *cursor) ubjsonOf(kind byte, depth int) (any, error) {
	if depth == maxDepth {
		return nil, errDepth
	}
	if err := c.Work(1); err != nil {
		return nil, err
	}
	switch kind {
	case '{':
		return c.ubjsonObject(depth)
	case '[':
		return c.ubjsonArray(depth)
	case 'S', 'C':
		return c.ubjsonString(kind)
	case 'T', 'F':
		return kind == 'T', nil
	case 'Z':
		return nil, nil
	}
	size, ok := sizes[kind]
	if !ok {
		return nil, c.damaged()
	}
	raw, err := c.take(uint64(size))
	if err != nil {
		return nil, err
	}
	return number(kind, raw), nil
}

func number(kind byte, raw []byte) float64 {
	switch kind {
	case 'i':
		return float64(int8(raw[0]))
	case 'U':
		return float64(raw[0])
	case 'I':
		return float64(int16(binary.BigEndian.Uint16(raw)))
	case 'l':
		return float64(int32(binary.BigEndian.Uint32(raw)))
	case 'L':
		return float64(int64(binary.BigEndian.Uint64(raw)))
	case 'd':
		return float64(math.Float32frombits(binary.BigEndian.Uint32(raw)))
	default:
		return math.Float64frombits(binary.BigEndian.Uint64(raw))
	}
}

func (c *cursor) ubjsonString(kind byte) (string, error) {
	n := uint64(1)
	if kind == 'S' {
		var err error
		if n, err = c.count(); err != nil {
			return "", err
		}
	}
	raw, err := c.take(n)
	if err != nil {
		return "", err
	}
	return string(raw), c.Alloc(len(raw))
}

// count reads a length.
func (c *cursor) count() (uint64, error) {
	kind, err := c.take(1)
	if err != nil {
		return 0, err
	}
	size, ok := sizes[kind[0]]
	if !ok || kind[0] == 'd' || kind[0] == 'D' {
		return 0, c.damaged()
	}
	raw, err := c.take(uint64(size))
	if err != nil {
		return 0, err
	}
	n := number(kind[0], raw)
	if n < 0 || n > float64(len(c.data)) {
		return 0, errEnd
	}
	return uint64(n), nil
}

// peek skips a character if it comes next.
func (c *cursor) peek(b byte) bool {
	if c.at < len(c.data) && c.data[c.at] == b {
		c.at++
		return true
	}
	return false
}

func (c *cursor) ubjsonObject(depth int) (any, error) {
	o := object{}
	for !c.peek('}') {
		name, err := c.ubjsonString('S')
		if err != nil {
			return nil, err
		}
		if err := c.Alloc(2 * slotBytes); err != nil {
			return nil, err
		}
		v, err := c.ubjson(depth + 1)
		if err != nil {
			return nil, err
		}
		o.put(c, name, v)
	}
	return o, nil
}

func (c *cursor) ubjsonArray(depth int) (any, error) {
	var l list
	if c.peek('$') {
		return c.typedArray()
	}
	if c.peek('#') {
		n, err := c.count()
		for i := uint64(0); i < n && err == nil; i++ {
			err = c.addTo(&l, depth)
		}
		return l.value(), err
	}
	for !c.peek(']') {
		if err := c.addTo(&l, depth); err != nil {
			return nil, err
		}
	}
	return l.value(), nil
}

func (c *cursor) addTo(l *list, depth int) error {
	v, err := c.ubjson(depth + 1)
	if err != nil {
		return err
	}
	return l.add(c, v)
}

// typedArray reads an array whose numbers have one type.
func (c *cursor) typedArray() (any, error) {
	kind, err := c.take(1)
	if err != nil {
		return nil, err
	}
	size, ok := sizes[kind[0]]
	if !ok || !c.peek('#') {
		return nil, c.damaged()
	}
	n, err := c.count()
	if err != nil {
		return nil, err
	}
	raw, err := c.take(n * uint64(size))
	if err != nil {
		return nil, err
	}
	if err := c.Alloc(8 * int(n)); err != nil {
		return nil, err
	}
	all := make([]float64, n)
	for i := range all {
		all[i] = number(kind[0], raw[i*size:])
	}
	return all, nil
}

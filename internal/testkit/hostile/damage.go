// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"slices"
)

var (
	word     = regexp.MustCompile(`[-+.0-9a-zA-Z]+`)
	words    = []string{"", "0", "1", "-1", "2", "7", "31", "300", "65535", "-2147483648", "2147483647", "4294967296", "1e300", "-1e-300", "NaN", "Infinity", "nan", "true", "null", "[]", "{}", "[1,2,3]", "a", "\"0\""}
	extremes = []uint32{0, 1, 2, 3, 7, 1 << 16, 1<<31 - 1, 1 << 31, 1<<32 - 1, 0x7fc00000, 0x7f800000}
)

// Damaged changes a few words or lines of a text, or a few numbers of a binary file.
func Damaged(c *Choices, data []byte, text bool) []byte {
	data = slices.Clone(data)
	for range 1 + c.Below(4) {
		switch {
		case len(data) == 0:
		case text && c.Byte()%2 == 0:
			data = line(c, data)
		case text:
			if all := word.FindAllIndex(data, -1); len(all) > 0 {
				at := Pick(c, all)
				data = slices.Concat(data[:at[0]], []byte(Pick(c, words)), data[at[1]:])
			}
		default:
			data = number(c, data)
		}
	}
	return data
}

// line leaves a line out, repeats it, gives it the value of another one, or leaves out or
// repeats a word of it.
func line(c *Choices, data []byte) []byte {
	lines := bytes.Split(data, []byte("\n"))
	at, other := c.Below(len(lines)), c.Below(len(lines))
	name, value, _ := bytes.Cut(lines[at], []byte("="))
	of := bytes.Fields(value)
	switch c.Byte() % 5 {
	case 0:
		lines = slices.Delete(lines, at, at+1)
	case 1:
		lines = slices.Insert(lines, other, lines[at])
	case 2:
		_, value, _ := bytes.Cut(lines[other], []byte("="))
		lines[at] = slices.Concat(name, []byte("="), value)
	default:
		if len(of) == 0 {
			return data
		}
		if at := c.Below(len(of)); c.Byte()%2 == 0 {
			of = slices.Delete(of, at, at+1)
		} else {
			of[c.Below(len(of))] = of[at]
		}
		lines[at] = slices.Concat(name, []byte("="), bytes.Join(of, []byte(" ")))
	}
	return bytes.Join(lines, []byte("\n"))
}

// number changes a byte or a number, cuts the file, or leaves out or repeats as many bytes
// as numbers or nodes have.
func number(c *Choices, data []byte) []byte {
	at := c.Below(len(data))
	size := min(Pick(c, []int{1, 4, 8, 16, 20, 148}), len(data)-at)
	switch c.Byte() % 8 {
	case 0:
		data[at] = c.Byte()
	case 1:
		return data[:at+1]
	case 2:
		return slices.Delete(data, at, at+size)
	case 3:
		return slices.Insert(data, at, slices.Clone(data[at:at+size])...)
	default:
		number := make([]byte, 4)
		var order binary.ByteOrder = binary.BigEndian
		if c.Byte()%2 == 0 {
			order = binary.LittleEndian
		}
		order.PutUint32(number, Pick(c, extremes))
		copy(data[at:], number)
	}
	return data
}

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"unicode/utf8"
	"unsafe"

	"github.com/serin-dev/serin/internal/model/frame"
)

// The binary form of tensors: their values in little endian, one after the other, and
// a string as its length in four bytes and its bytes. It follows the JSON over HTTP,
// and stands in raw_input_contents over gRPC.

// readRaw reads a tensor's binary values, if there is memory for them.
func (b *batch) readRaw(t *tensor, data []byte) error {
	n := len(data) / max(t.typ.size, 1)
	if t.typ.kind == texts {
		n = len(data) / 4
	}
	if err := b.room(t, n); err != nil {
		return err
	}
	return t.raw(data)
}

// raw reads binary values.
func (t *tensor) raw(data []byte) error {
	t.clear()
	if t.typ.kind == texts {
		return t.rawTexts(data)
	}
	size := t.typ.size
	if len(data)%size != 0 {
		return fmt.Errorf("input %q has %d bytes of binary data, which is no multiple of the %d bytes of %s", t.name, len(data), size, t.typ.name)
	}
	if t.addFloats(data) {
		return nil
	}
	for ; len(data) > 0; data = data[size:] {
		if err := t.addBits(t.typ.load(data)); err != nil {
			return err
		}
	}
	return nil
}

// addFloats adds whole values of FP64 or FP32, which large requests have. It reports whether they are such.
func (t *tensor) addFloats(data []byte) bool {
	if t.typ.kind != floats || t.typ.size < 4 {
		return false
	}
	had, more := len(t.values), len(data)/t.typ.size
	t.values = slices.Grow(t.values, more)[:had+more]
	to := t.values[had:]
	if t.typ.size == 4 {
		for i := range to {
			to[i] = plain(float64(math.Float32frombits(binary.LittleEndian.Uint32(data))))
			data = data[4:]
		}
		return true
	}
	for i := range to {
		to[i] = plain(math.Float64frombits(binary.LittleEndian.Uint64(data)))
		data = data[8:]
	}
	return true
}

// load returns the bits of the first value.
func (d *datatype) load(data []byte) uint64 {
	switch d.size {
	case 2:
		return uint64(binary.LittleEndian.Uint16(data))
	case 4:
		return uint64(binary.LittleEndian.Uint32(data))
	case 8:
		return binary.LittleEndian.Uint64(data)
	}
	return uint64(data[0])
}

// extend repeats the sign of an integer in the bits above it.
func (d *datatype) extend(bits uint64) uint64 {
	if d.kind != integers {
		return bits
	}
	unused := 64 - 8*d.size
	return uint64(int64(bits<<unused) >> unused)
}

// addBits adds a value by its bits.
func (t *tensor) addBits(bits uint64) error {
	switch t.typ.kind {
	case floats:
		t.add(t.floatOf(bits))
	case integers:
		t.addInt(int64(t.typ.extend(bits)))
	case naturals:
		t.addUint(bits)
	case truths:
		if bits > 1 {
			return fmt.Errorf("input %q holds %d: a BOOL is 0 or 1", t.name, bits)
		}
		t.add(float64(bits))
	case texts: // rawTexts
	}
	return nil
}

func (t *tensor) floatOf(bits uint64) float64 {
	switch t.typ.size {
	case 8:
		return math.Float64frombits(bits)
	case 4:
		return float64(math.Float32frombits(uint32(bits)))
	}
	return frame.Half(uint16(bits))
}

var errCutString = errors.New("the binary data ends within a string")

// rawTexts reads strings, which lie in data afterwards.
func (t *tensor) rawTexts(data []byte) error {
	for len(data) > 0 {
		if len(data) < 4 {
			return fmt.Errorf("input %q: %w", t.name, errCutString)
		}
		n := uint64(binary.LittleEndian.Uint32(data))
		data = data[4:]
		if n > uint64(len(data)) {
			return fmt.Errorf("input %q: %w", t.name, errCutString)
		}
		if err := t.addBytes(data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// addBytes adds a string, which lies in s afterwards.
func (t *tensor) addBytes(s []byte) error {
	if !utf8.Valid(s) {
		return fmt.Errorf("input %q holds a string that is not valid UTF-8", t.name)
	}
	t.addText(unsafe.String(unsafe.SliceData(s), len(s)))
	return nil
}

// appendRaw writes an answer in binary. Its labels are those of rawLabels.
func appendRaw(dst []byte, r *frame.Result, labels [][][]byte) []byte {
	column := 0
	for _, v := range r.Values {
		if labels != nil {
			dst = append(dst, labels[column][int(v)]...)
		} else {
			dst = appendBits(dst, r.Output.Type, v)
		}
		if column++; column == r.Output.Width {
			column = 0
		}
	}
	return dst
}

func appendBits(dst []byte, t frame.Type, v float64) []byte {
	switch t {
	case frame.Float64:
		return binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
	case frame.Float32:
		return binary.LittleEndian.AppendUint32(dst, math.Float32bits(float32(v)))
	case frame.Uint64:
		return binary.LittleEndian.AppendUint64(dst, uint64(v))
	case frame.Bytes:
		return appendText(dst, fmt.Sprint(v)) // no model answers such
	default:
		return appendInt(dst, t, int64(v))
	}
}

// appendInt writes the low bytes of an integer.
func appendInt(dst []byte, t frame.Type, v int64) []byte {
	all := binary.LittleEndian.AppendUint64(nil, uint64(v))
	return append(dst, all[:datatypeFor(t).size]...)
}

func appendText(dst []byte, s string) []byte {
	return append(binary.LittleEndian.AppendUint32(dst, uint32(len(s))), s...)
}

// rawLabels renders each label of an output once, in binary.
func rawLabels(out frame.Output) [][][]byte {
	var all [][][]byte
	for _, classes := range out.Classes {
		var labels [][]byte
		for _, c := range classes {
			labels = append(labels, rawLabel(out.Type, c))
		}
		all = append(all, labels)
	}
	return all
}

func rawLabel(t frame.Type, label any) []byte {
	if t == frame.Bytes {
		return appendText(nil, pythonText(label))
	}
	switch l := label.(type) {
	case int64:
		if t == frame.Float64 || t == frame.Float32 {
			return appendBits(nil, t, float64(l))
		}
		return appendInt(nil, t, l)
	case uint64:
		return appendInt(nil, t, int64(l))
	case float64:
		return appendBits(nil, t, l)
	case bool:
		if l {
			return appendBits(nil, t, 1)
		}
		return appendBits(nil, t, 0)
	}
	return nil // encodeLabels has refused others
}

// pythonText is Python's str() of a label.
func pythonText(label any) string {
	switch l := label.(type) {
	case string:
		return l
	case bool:
		if l {
			return "True"
		}
		return "False"
	case float64:
		return string(appendFloat(nil, l))
	}
	return fmt.Sprint(label)
}

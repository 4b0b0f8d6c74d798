// SPDX-License-Identifier: Apache-2.0

package python

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"github.com/serin-dev/serin/internal/model/frame"
)

// A message to and from a worker is the lengths of its head and its body (4 and 8 bytes,
// little endian), the head as JSON, and the body: values as float64, and then the strings of
// a request, each behind its length in 4 bytes.

const (
	prefixSize = 12
	maxHead    = 1 << 28
	maxBody    = 1 << 36
)

// question is the head of a request.
type question struct {
	Method string   `json:"method"`
	Rows   int      `json:"rows"`
	Cols   int      `json:"cols"`
	Flat   bool     `json:"flat"`
	Names  []string `json:"names"`
	Texts  int      `json:"texts"` // how many strings
}

// greeting is what a worker says first.
type greeting struct {
	Error string `json:"error"`
	Class string `json:"class"`
	Proba bool   `json:"proba"`
	Width int    `json:"width"`
}

// reply is the head of an answer.
type reply struct {
	Error  string `json:"error"`
	Input  bool   `json:"input"` // the error is the request's
	Type   string `json:"type"`
	Rows   int    `json:"rows"`
	Width  int    `json:"width"`
	Flat   bool   `json:"flat"`
	Parts  []int  `json:"parts"`
	Labels []any  `json:"labels"` // the values are indexes into it
}

// types are numpy's names.
var types = map[string]frame.Type{
	"float64": frame.Float64, "float32": frame.Float32, "int64": frame.Int64, "int32": frame.Int32, "int16": frame.Int16, "int8": frame.Int8,
	"uint64": frame.Uint64, "uint32": frame.Uint32, "uint16": frame.Uint16, "uint8": frame.Uint8, "bool": frame.Bool, "bytes": frame.Bytes,
}

// appendRequest writes a request. It keeps nothing of x.
func appendRequest(dst []byte, m frame.Method, x *frame.Frame) ([]byte, error) {
	q := question{Method: m.String(), Rows: x.Rows, Cols: x.Cols, Flat: x.Flat, Names: x.Names}
	size := 8 * len(x.Data)
	for i, v := range x.Data {
		if frame.IsText(v) {
			q.Texts++
			size += 4 + len(x.Texts[i])
		}
	}
	head, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	dst = slices.Grow(dst, prefixSize+len(head)+size)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(head)))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(size))
	dst = append(dst, head...)
	for _, v := range x.Data {
		dst = binary.LittleEndian.AppendUint64(dst, math.Float64bits(v))
	}
	for i, v := range x.Data {
		if frame.IsText(v) {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(len(x.Texts[i])))
			dst = append(dst, x.Texts[i]...)
		}
	}
	return dst, nil
}

// message is a message of a worker, in memory that the next one reuses.
type message struct{ data bytes.Buffer }

// read reads one, and decodes its head.
func (m *message) read(r io.Reader, head any) (body []byte, err error) {
	var prefix [prefixSize]byte
	if _, err := io.ReadFull(r, prefix[:]); err != nil {
		return nil, err
	}
	n, size := binary.LittleEndian.Uint32(prefix[:]), binary.LittleEndian.Uint64(prefix[4:])
	if n > maxHead || size > maxBody {
		return nil, fmt.Errorf("the worker sends %d and %d bytes", n, size)
	}
	if m.data.Cap() > keep {
		m.data = bytes.Buffer{}
	}
	m.data.Reset()
	all := int64(n) + int64(size)
	if got, err := m.data.ReadFrom(io.LimitReader(r, all)); err != nil || got != all { // grows by what comes
		return nil, errors.Join(io.ErrUnexpectedEOF, err)
	}
	decoder := json.NewDecoder(bytes.NewReader(m.data.Bytes()[:n]))
	decoder.UseNumber()
	if err := decoder.Decode(head); err != nil {
		return nil, fmt.Errorf("the worker's message: %w", err)
	}
	return m.data.Bytes()[n:], nil
}

// keep is how much memory is kept for the next request.
const keep = 1 << 20

// into makes the result of a reply.
func (h *reply) into(dst *frame.Result, body []byte) error {
	out := frame.Output{Type: frame.Float64, Width: h.Width, Flat: h.Flat, Parts: h.Parts, Open: true}
	var known bool
	if out.Type, known = types[h.Type]; !known {
		return fmt.Errorf("the worker answers values of the type %q", h.Type)
	}
	if !h.fits(len(body)) || out.Type == frame.Bytes && h.Labels == nil {
		return errShape
	}
	dst.Output, dst.Rows = out, h.Rows
	dst.Values = slices.Grow(dst.Values[:0], len(body)/8)
	for i := 0; i < len(body); i += 8 {
		v := math.Float64frombits(binary.LittleEndian.Uint64(body[i:]))
		if h.Labels != nil && !(v >= 0 && v < float64(len(h.Labels))) {
			return errShape
		}
		dst.Values = append(dst.Values, v)
	}
	if h.Labels == nil {
		return nil
	}
	labels, err := labelsOf(h.Labels)
	if err != nil {
		return err
	}
	for range min(h.Width, len(dst.Values)) {
		dst.Output.Classes = append(dst.Output.Classes, labels)
	}
	return nil
}

// fits reports whether a reply is of one shape, with a body of size bytes.
func (h *reply) fits(size int) bool {
	parts := 0
	for _, p := range h.Parts {
		if p < 0 || p > h.Width-parts {
			return false
		}
		parts += p
	}
	switch {
	case h.Rows < 0 || h.Width < 0 || h.Flat && h.Width != 1:
		return false
	case len(h.Parts) > 0 && (parts != h.Width || h.Labels != nil):
		return false
	case h.Width > 0 && h.Rows > math.MaxInt/8/h.Width:
		return false
	}
	return size == 8*h.Rows*h.Width
}

var errShape = errors.New("the worker's answer does not fit its own shape")

// labelsOf are labels as frame.Output has them.
func labelsOf(list []any) ([]any, error) {
	labels := make([]any, len(list))
	for i, v := range list {
		switch v := v.(type) {
		case nil:
			labels[i] = math.NaN() // null in JSON
		case bool, string:
			labels[i] = v
		case json.Number:
			labels[i] = numberOf(v)
		default:
			return nil, errors.New("the worker answers a label that is a list or an object")
		}
	}
	return labels, nil
}

// numberOf is an integer if it can be one.
func numberOf(n json.Number) any {
	if i, err := n.Int64(); err == nil {
		return i
	}
	var u uint64
	if json.Unmarshal([]byte(n), &u) == nil {
		return u
	}
	f, _ := n.Float64() // infinite, if it is beyond
	return f
}

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"compress/gzip"
	"fmt"
	"slices"

	"github.com/serin-dev/serin/internal/model/frame"
)

// batch is a request as a frame, its answer, and the memory that requests reuse.
type batch struct {
	schema frame.Schema
	x      frame.Frame
	objects
	texts bool   // a value of x is a string
	last  string // the last of those
	lists bool   // a row was no object, so that its columns have no names

	inputs []tensor     // of a V2 request
	body   []byte       // as it was sent, but not compressed
	zip    *gzip.Reader // for other requests
	share  share

	result  frame.Result
	labels  [][][]byte // of the result, as JSON
	tensors answers
	out     []byte
	raw     []byte // the binary part of out
}

// The largest batches that are kept for other requests, in bytes.
const (
	keptSmall = smallRequest / 2
	keptLarge = 16 << 20
)

// batch returns memory for a request of a length. Small requests do not get that of
// large ones: it would count as theirs.
func (s *Server) batch(length int) *batch {
	pool := &s.small
	if length > keptSmall/4 {
		pool = &s.large
	}
	if b, ok := pool.Get().(*batch); ok {
		return b
	}
	return &batch{schema: s.schema, share: share{memory: s.memory}}
}

// recycle keeps a batch for other requests, until the garbage collector has run twice.
func (s *Server) recycle(b *batch) {
	clear(b.x.Texts) // they lie in the body
	b.forget()
	b.lookup, b.places = nil, places{}
	b.share.release()
	switch n := b.footprint(); {
	case n <= keptSmall:
		s.small.Put(b)
	case n <= keptLarge:
		s.large.Put(b)
	}
}

// forget drops the strings of tensors, which lie in the body.
func (b *batch) forget() {
	for i := range b.inputs {
		t := &b.inputs[i]
		clear(t.texts)
		t.name = ""
	}
	b.inputs = b.inputs[:0]
}

// note holds what the request takes by now.
func (b *batch) note() error { return b.share.atLeast(b.footprint()) }

// checkRoom returns an error if there is no memory for n more values of a request.
func (b *batch) checkRoom(n int, texts bool) error {
	size := 8
	if texts {
		size += 16
	}
	return b.share.atLeast(b.footprint() + int64(n)*int64(size))
}

// footprint returns the bytes of a batch's memory that grow with a request.
func (b *batch) footprint() int64 {
	const number, text, entry = 8, 16, 48
	n := cap(b.body) + cap(b.out) + cap(b.raw) + number*(cap(b.x.Data)+cap(b.result.Values)) + text*(cap(b.x.Texts)+cap(b.index)+cap(b.inputs)) + entry*(len(b.lookup)+len(b.places.of))
	for i := range b.values {
		n += number*cap(b.values[i].values) + text*cap(b.values[i].texts)
	}
	for i := range b.inputs[:cap(b.inputs)] {
		t := &b.inputs[:cap(b.inputs)][i]
		n += number*(cap(t.values)+cap(t.shape)) + text*cap(t.texts)
	}
	return int64(n)
}

// poll is called while a body is read: it makes room for the values that will probably
// follow, so that they need not be copied again and again, and holds the memory.
func (b *batch) poll(p *parser) error {
	values := &b.x.Data
	if n := len(b.inputs); n > 0 {
		values = &b.inputs[n-1].values
	}
	const most, margin = pollBytes / 2, 1.02 // values until the next poll
	if n := len(*values); n >= most/4 && cap(*values)-n < most {
		left := float64(len(p.data) - p.pos)
		more := most + int(min(left/2, margin*left*float64(n)/float64(p.pos)))
		if err := b.share.atLeast(b.footprint() + 8*int64(n+more)); err != nil {
			return err
		}
		*values = slices.Grow(*values, more)
	}
	return b.note()
}

// put adds the value that was read last to the frame.
func (b *batch) put(v float64) {
	b.x.Data = append(b.x.Data, v)
	if b.texts {
		b.keep(v)
	}
}

// keep adds the string of the frame's last value, if that is one.
func (b *batch) keep(v float64) {
	if frame.IsText(v) {
		b.pad()
		b.x.Texts[len(b.x.Texts)-1] = b.last
	}
}

// pad makes room for the strings of all values so far.
func (b *batch) pad() {
	n := len(b.x.Data) - len(b.x.Texts)
	b.x.Texts = slices.Grow(b.x.Texts, n)[:len(b.x.Data)]
	clear(b.x.Texts[len(b.x.Texts)-n:])
}

// added counts a row of cols values, and returns an error if others have another
// number.
func (b *batch) added(cols int) error {
	if b.x.Rows == 0 {
		b.x.Cols = cols
	}
	if b.x.Cols != cols {
		return fmt.Errorf("instance %d has %d features, but the first has %d", b.x.Rows, cols, b.x.Cols)
	}
	b.x.Rows++
	return nil
}

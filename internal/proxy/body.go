// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// mover moves one message body from a connection to another as it comes: what
// has arrived is passed on before waiting for more. Its state is between two
// waits: after an error of wait or of a flush, move goes on where it was.
type mover struct {
	dst   flusher
	src   *bufio.Reader
	wait  func(n int) error // waits until n bytes are there to be read; nil: by reading
	plain bool              // chunks lose their frames: the client speaks HTTP/1.0
	moved int64             // bytes of body, frames not counted
	whole bool              // it is not in chunks

	stage stage
	left  int64 // to be moved in this stage; of trailers, how much they may still be
}

type flusher interface {
	io.Writer
	Flush() error
}

// stage is where a mover is in its body.
type stage uint8

const (
	stageSize stage = iota // before a chunk
	stageData
	stageDataEnd
	stageTrailers
	stageRest // until the source closes
	stageDone
)

// begin prepares for a body of the given framing.
func (m *mover) begin(framing int) {
	switch framing {
	case chunked:
		m.stage = stageSize
	case untilClose:
		m.stage = stageRest
	default:
		m.stage, m.left = stageData, int64(framing)
		m.whole = true
	}
}

// move moves the body, or the rest of it.
func (m *mover) move() error {
	for m.stage != stageDone {
		if err := m.step(); err != nil {
			return err
		}
	}
	return nil
}

func (m *mover) step() error {
	switch m.stage {
	case stageSize:
		return m.chunkStart()
	case stageData:
		return m.data()
	case stageDataEnd:
		return m.chunkEnd()
	case stageTrailers:
		return m.trailer()
	case stageRest:
		return m.rest()
	case stageDone:
	}
	return nil
}

// errFraming is a body whose frames make no sense. The connections of both
// sides are of no use after it.
var errFraming = errors.New("malformed chunked body")

// writeError marks an error of the side written to, to tell it from one of the
// side read from.
type writeError struct{ error }

func (e writeError) Unwrap() error { return e.error }

// data moves what is left of a chunk, or of a body of a known length.
func (m *mover) data() error {
	for m.left > 0 {
		b, err := m.next(m.left)
		if err != nil {
			return err
		}
		if err := m.write(b); err != nil {
			return err
		}
		m.moved += int64(len(b))
		m.left -= int64(len(b))
		m.discard(len(b))
	}
	m.stage = stageDataEnd
	if m.whole {
		m.stage = stageDone
	}
	return nil
}

// fill waits until n bytes are there to be read. It flushes before it waits.
func (m *mover) fill(n int) error {
	if m.src.Buffered() >= n {
		return nil
	}
	if err := m.flush(); err != nil {
		return err
	}
	var err error
	if m.wait != nil {
		err = m.wait(n)
	} else {
		_, err = m.src.Peek(n)
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// next returns up to limit bytes that are there, after waiting for some.
func (m *mover) next(limit int64) ([]byte, error) {
	if err := m.fill(1); err != nil {
		return nil, err
	}
	b, _ := m.src.Peek(int(min(int64(m.src.Buffered()), limit))) // buffered, so it cannot fail
	return b, nil
}

func (m *mover) discard(n int) {
	_, _ = m.src.Discard(n) // buffered, so it cannot fail
}

func (m *mover) write(b []byte) error {
	if _, err := m.dst.Write(b); err != nil {
		return writeError{err}
	}
	return nil
}

func (m *mover) flush() error {
	if err := m.dst.Flush(); err != nil {
		return writeError{err}
	}
	return nil
}

// rest moves what is there of a body that ends with its connection, as a chunk
// of our own.
func (m *mover) rest() error {
	b, err := m.next(int64(m.src.Size()))
	if errors.Is(err, io.ErrUnexpectedEOF) {
		m.stage = stageDone
		if m.plain {
			return nil
		}
		return m.write([]byte("0\r\n\r\n"))
	}
	if err != nil {
		return err
	}
	if err := m.frame(int64(len(b))); err != nil {
		return err
	}
	if err := m.write(b); err != nil {
		return err
	}
	m.moved += int64(len(b))
	m.discard(len(b))
	return m.frameEnd()
}

// chunkStart moves a chunk's first line.
func (m *mover) chunkStart() error {
	size, err := m.chunkSize()
	if err != nil {
		return err
	}
	if size > 0 {
		m.stage, m.left = stageData, size
		return m.frame(size)
	}
	m.stage, m.left = stageTrailers, int64(m.src.Size())
	if m.plain {
		return nil
	}
	return m.write([]byte("0\r\n"))
}

// chunkEnd moves the end of a chunk.
func (m *mover) chunkEnd() error {
	end, err := m.line()
	if err != nil {
		return err
	}
	if len(end) != 0 {
		return errFraming
	}
	m.stage = stageSize
	return m.frameEnd()
}

func (m *mover) frame(size int64) error {
	if m.plain {
		return nil
	}
	var b [18]byte
	return m.write(append(strconv.AppendInt(b[:0], size, 16), '\r', '\n'))
}

func (m *mover) frameEnd() error {
	if m.plain {
		return nil
	}
	return m.write([]byte("\r\n"))
}

// chunkSize reads a chunk's first line. Extensions are dropped.
func (m *mover) chunkSize() (int64, error) {
	line, err := m.line()
	if err != nil {
		return 0, err
	}
	digits, _, _ := bytes.Cut(line, []byte{';'})
	digits = bytes.TrimRight(digits, " \t")
	if len(digits) == 0 || len(digits) > 15 {
		return 0, errFraming
	}
	var size int64
	for _, c := range digits {
		switch {
		case '0' <= c && c <= '9':
			size = size<<4 | int64(c-'0')
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			size = size<<4 | int64(c|0x20-'a'+10)
		default:
			return 0, errFraming
		}
	}
	return size, nil
}

// trailer moves a field after the last chunk, or the empty line after them. It
// drops those that belong into a head.
func (m *mover) trailer() error {
	line, err := m.line()
	if err != nil {
		return err
	}
	if m.left -= int64(len(line)) + 2; m.left < 0 {
		return fmt.Errorf("%w: trailers are too large", errFraming)
	}
	if len(line) == 0 {
		m.stage = stageDone
		return m.frameEnd()
	}
	f, ok := parseField(line)
	if !ok {
		return fmt.Errorf("%w: a trailer is malformed", errFraming)
	}
	if m.plain || !trailerAllowed(string(f.name)) {
		return nil
	}
	if err := m.write(line); err != nil {
		return err
	}
	return m.write([]byte("\r\n"))
}

// line reads a line that must end in CRLF and returns it without.
func (m *mover) line() ([]byte, error) {
	for seen := 0; ; {
		if err := m.fill(seen + 1); err != nil {
			return nil, err
		}
		b, _ := m.src.Peek(m.src.Buffered()) // buffered, so it cannot fail
		n := bytes.IndexByte(b[seen:], '\n')
		if n < 0 && len(b) == m.src.Size() {
			return nil, errFraming
		}
		if n < 0 {
			seen = len(b)
			continue
		}
		line, ok := bytes.CutSuffix(b[:seen+n+1], []byte("\r\n"))
		if !ok || bytes.IndexByte(line, '\r') >= 0 {
			return nil, errFraming
		}
		m.discard(seen + n + 1) // line is good until more is read
		return line, nil
	}
}

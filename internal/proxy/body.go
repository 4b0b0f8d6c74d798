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

// mover moves message bodies from one connection to another as they come: what
// has arrived is passed on before waiting for more.
type mover struct {
	dst   *bufio.Writer
	src   *bufio.Reader
	plain bool         // chunks lose their frames: the client speaks HTTP/1.0
	wait  func() error // waits for the source's next byte; nil: by reading
	moved int64        // bytes of body, frames not counted
}

// errFraming is a body whose frames make no sense. The connections of both
// sides are of no use after it.
var errFraming = errors.New("malformed chunked body")

// writeError marks an error of the side written to, to tell it from one of the
// side read from.
type writeError struct{ error }

func (e writeError) Unwrap() error { return e.error }

// body moves a body of the given framing.
func (m *mover) body(framing int) error {
	switch framing {
	case chunked:
		return m.chunks()
	case untilClose:
		return m.rest()
	}
	return m.exactly(int64(framing))
}

// exactly moves n bytes.
func (m *mover) exactly(n int64) error {
	for n > 0 {
		b, err := m.next(n)
		if err != nil {
			return err
		}
		if err := m.write(b); err != nil {
			return err
		}
		m.moved += int64(len(b))
		n -= int64(len(b))
		m.discard(len(b))
	}
	return nil
}

// fill waits until something is there to be read. It flushes before it waits.
func (m *mover) fill() error {
	if m.src.Buffered() > 0 {
		return nil
	}
	if err := m.flush(); err != nil {
		return err
	}
	var err error
	if m.wait != nil {
		err = m.wait()
	} else {
		_, err = m.src.Peek(1)
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// next returns up to limit bytes that are there, after waiting for some.
func (m *mover) next(limit int64) ([]byte, error) {
	if err := m.fill(); err != nil {
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

// rest moves everything until the source closes, in chunks of our own.
func (m *mover) rest() error {
	for {
		b, err := m.next(int64(m.src.Size()))
		if errors.Is(err, io.ErrUnexpectedEOF) {
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
		if err := m.frameEnd(); err != nil {
			return err
		}
	}
}

// chunks moves chunks as they are, and the trailers after the last.
func (m *mover) chunks() error {
	for {
		size, err := m.chunkSize()
		if err != nil {
			return err
		}
		if size == 0 {
			break
		}
		if err := m.frame(size); err != nil {
			return err
		}
		if err := m.exactly(size); err != nil {
			return err
		}
		end, err := m.line()
		if err != nil {
			return err
		}
		if len(end) != 0 {
			return errFraming
		}
		if err := m.frameEnd(); err != nil {
			return err
		}
	}
	if !m.plain {
		if err := m.write([]byte("0\r\n")); err != nil {
			return err
		}
	}
	return m.trailers()
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

// trailers moves the fields after the last chunk and the empty line after them.
func (m *mover) trailers() error {
	for left := m.src.Size(); ; {
		line, err := m.line()
		if err != nil {
			return err
		}
		if left -= len(line) + 2; left < 0 {
			return fmt.Errorf("%w: trailers are too large", errFraming)
		}
		name, _, ok := bytes.Cut(line, []byte{':'})
		if len(line) > 0 && (!ok || len(name) == 0 || bytes.ContainsAny(name, " \t\r")) {
			return errFraming
		}
		if !m.plain {
			if err := m.write(line); err != nil {
				return err
			}
			if err := m.write([]byte("\r\n")); err != nil {
				return err
			}
		}
		if len(line) == 0 {
			return nil
		}
	}
}

// line reads a line that must end in CRLF and returns it without.
func (m *mover) line() ([]byte, error) {
	if err := m.fill(); err != nil {
		return nil, err
	}
	line, err := m.src.ReadSlice('\n')
	if errors.Is(err, io.EOF) {
		return nil, io.ErrUnexpectedEOF
	}
	if errors.Is(err, bufio.ErrBufferFull) {
		return nil, errFraming
	}
	if err != nil {
		return nil, err
	}
	line, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok || bytes.IndexByte(line, '\r') >= 0 {
		return nil, errFraming
	}
	return line, nil
}

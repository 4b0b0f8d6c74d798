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

// bodyCopier copies one message body from a connection to another as it arrives.
// It flushes before it waits for input. After an error of wait or of a flush, copy
// continues where it was.
type bodyCopier struct {
	dst     flusher
	src     *bufio.Reader
	wait    func(n int) error // waits until n bytes are buffered in src; nil: src.Peek
	dechunk bool              // removes the chunked encoding: the client speaks HTTP/1.0
	copied  int64             // bytes of the body, without the chunked encoding
	sized   bool              // the body has a Content-Length

	stage stage
	left  int64 // bytes to copy in this stage, or bytes that the trailers may still have
}

type flusher interface {
	io.Writer
	Flush() error
}

// stage is the part of the body that a bodyCopier is in.
type stage uint8

const (
	stageSize stage = iota // before a chunk
	stageData
	stageDataEnd
	stageTrailers
	stageUntilClose // the body ends when src closes
	stageDone
)

// begin starts a body of the given framing.
func (bc *bodyCopier) begin(framing int) {
	switch framing {
	case chunked:
		bc.stage = stageSize
	case untilClose:
		bc.stage = stageUntilClose
	default:
		bc.stage, bc.left = stageData, int64(framing)
		bc.sized = true
	}
}

// copy copies the rest of the body.
func (bc *bodyCopier) copy() error {
	for bc.stage != stageDone {
		if err := bc.step(); err != nil {
			return err
		}
	}
	return nil
}

func (bc *bodyCopier) step() error {
	switch bc.stage {
	case stageSize:
		return bc.chunkStart()
	case stageData:
		return bc.data()
	case stageDataEnd:
		return bc.chunkEnd()
	case stageTrailers:
		return bc.trailer()
	case stageUntilClose:
		return bc.untilClose()
	case stageDone:
	}
	return nil
}

// errFraming means that a chunked body is malformed. Neither connection can be used
// after it.
var errFraming = errors.New("malformed chunked body")

// writeError is an error of dst, as opposed to one of src.
type writeError struct{ error }

func (e writeError) Unwrap() error { return e.error }

// data copies the rest of a chunk, or of a body with a Content-Length.
func (bc *bodyCopier) data() error {
	for bc.left > 0 {
		b, err := bc.next(bc.left)
		if err != nil {
			return err
		}
		if err := bc.write(b); err != nil {
			return err
		}
		bc.copied += int64(len(b))
		bc.left -= int64(len(b))
		bc.discard(len(b))
	}
	bc.stage = stageDataEnd
	if bc.sized {
		bc.stage = stageDone
	}
	return nil
}

// fill waits until n bytes are buffered. It flushes before it waits.
func (bc *bodyCopier) fill(n int) error {
	if bc.src.Buffered() >= n {
		return nil
	}
	if err := bc.flush(); err != nil {
		return err
	}
	var err error
	if bc.wait != nil {
		err = bc.wait(n)
	} else {
		_, err = bc.src.Peek(n)
	}
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// next waits for input and returns up to limit buffered bytes.
func (bc *bodyCopier) next(limit int64) ([]byte, error) {
	if err := bc.fill(1); err != nil {
		return nil, err
	}
	b, _ := bc.src.Peek(int(min(int64(bc.src.Buffered()), limit))) // buffered, so it cannot fail
	return b, nil
}

func (bc *bodyCopier) discard(n int) {
	_, _ = bc.src.Discard(n) // buffered, so it cannot fail
}

func (bc *bodyCopier) write(b []byte) error {
	if _, err := bc.dst.Write(b); err != nil {
		return writeError{err}
	}
	return nil
}

func (bc *bodyCopier) flush() error {
	if err := bc.dst.Flush(); err != nil {
		return writeError{err}
	}
	return nil
}

// untilClose copies the buffered input of a body that ends with its connection, as
// one chunk.
func (bc *bodyCopier) untilClose() error {
	b, err := bc.next(int64(bc.src.Size()))
	if errors.Is(err, io.ErrUnexpectedEOF) {
		bc.stage = stageDone
		if bc.dechunk {
			return nil
		}
		return bc.write([]byte("0\r\n\r\n"))
	}
	if err != nil {
		return err
	}
	if err := bc.frame(int64(len(b))); err != nil {
		return err
	}
	if err := bc.write(b); err != nil {
		return err
	}
	bc.copied += int64(len(b))
	bc.discard(len(b))
	return bc.frameEnd()
}

// chunkStart copies a chunk's first line.
func (bc *bodyCopier) chunkStart() error {
	size, err := bc.chunkSize()
	if err != nil {
		return err
	}
	if size > 0 {
		bc.stage, bc.left = stageData, size
		return bc.frame(size)
	}
	bc.stage, bc.left = stageTrailers, int64(bc.src.Size())
	if bc.dechunk {
		return nil
	}
	return bc.write([]byte("0\r\n"))
}

// chunkEnd copies the end of a chunk.
func (bc *bodyCopier) chunkEnd() error {
	end, err := bc.line()
	if err != nil {
		return err
	}
	if len(end) != 0 {
		return errFraming
	}
	bc.stage = stageSize
	return bc.frameEnd()
}

func (bc *bodyCopier) frame(size int64) error {
	if bc.dechunk {
		return nil
	}
	var b [18]byte
	return bc.write(append(strconv.AppendInt(b[:0], size, 16), '\r', '\n'))
}

func (bc *bodyCopier) frameEnd() error {
	if bc.dechunk {
		return nil
	}
	return bc.write([]byte("\r\n"))
}

// chunkSize reads a chunk's first line. It drops chunk extensions.
func (bc *bodyCopier) chunkSize() (int64, error) {
	line, err := bc.line()
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

// trailer copies a trailer field, or the empty line after the last one. It drops
// fields that are only allowed in a head.
func (bc *bodyCopier) trailer() error {
	line, err := bc.line()
	if err != nil {
		return err
	}
	if bc.left -= int64(len(line)) + 2; bc.left < 0 {
		return fmt.Errorf("%w: trailers are too large", errFraming)
	}
	if len(line) == 0 {
		bc.stage = stageDone
		return bc.frameEnd()
	}
	f, ok := parseField(line)
	if !ok {
		return fmt.Errorf("%w: a trailer is malformed", errFraming)
	}
	if bc.dechunk || !trailerAllowed(string(f.name)) {
		return nil
	}
	if err := bc.write(line); err != nil {
		return err
	}
	return bc.write([]byte("\r\n"))
}

// line reads a line that must end in CRLF, and returns it without the CRLF.
func (bc *bodyCopier) line() ([]byte, error) {
	for seen := 0; ; {
		if err := bc.fill(seen + 1); err != nil {
			return nil, err
		}
		b, _ := bc.src.Peek(bc.src.Buffered()) // buffered, so it cannot fail
		n := bytes.IndexByte(b[seen:], '\n')
		if n < 0 && len(b) == bc.src.Size() {
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
		bc.discard(seen + n + 1) // line is valid until the next read
		return line, nil
	}
}

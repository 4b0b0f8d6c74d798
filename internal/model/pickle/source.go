// SPDX-License-Identifier: Apache-2.0

package pickle

import (
	"bufio"
	"errors"
	"io"

	"github.com/serin-dev/serin/internal/model/budget"
)

var errTruncated = errors.New("the file ends too early: it is truncated or damaged")

// source is the bytes of a pickle, which are read once. It keeps none of them.
type source struct {
	r      *bufio.Reader
	pos    int64 // consumed so far
	size   int64 // in all, or -1 if that is not known
	budget *budget.Budget
}

func newSource(r io.Reader, size int64, b *budget.Budget) *source {
	return &source{r: bufio.NewReaderSize(r, 1<<16), size: size, budget: b}
}

// advance counts n consumed bytes, which allow for more memory and steps.
func (s *source) advance(n int) error {
	s.pos += int64(n)
	return s.budget.Consume(n)
}

// ended turns the end of the file into an error about it.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errTruncated
	}
	return err
}

func (s *source) byte() (byte, error) {
	b, err := s.r.ReadByte()
	if err != nil {
		return 0, ended(err)
	}
	return b, s.advance(1)
}

// peek consumes the next n bytes, which are valid until the next call.
func (s *source) peek(n uint64) ([]byte, error) {
	if n > uint64(s.r.Size()) {
		return s.keep(n)
	}
	b, err := s.r.Peek(int(n))
	if err != nil {
		return nil, ended(err)
	}
	_, _ = s.r.Discard(len(b)) // they are there
	return b, s.advance(len(b))
}

// keep returns the next n bytes, in memory of their own. Where the size of the
// pickle is not known, most of the memory comes after the first bytes have.
func (s *source) keep(n uint64) ([]byte, error) {
	const least, first, most = 1 << 20, 16 << 20, 1 << 40
	if n > most || s.size >= 0 && int64(n) > s.size-s.pos {
		return nil, errTruncated
	}
	var out []byte
	for have := 0; ; {
		size := int(n)
		if have == 0 && s.size < 0 {
			size = min(size, max(size/8, least), first) // these are copied
		}
		if err := s.budget.Alloc(size - have); err != nil {
			return nil, err
		}
		grown := make([]byte, size)
		copy(grown, out)
		out = grown
		for have < size {
			k, err := s.r.Read(out[have:min(size, have+1<<20)])
			if have += k; err != nil {
				return nil, ended(err)
			}
			if err := s.advance(k); err != nil {
				return nil, err
			}
		}
		if have == int(n) {
			return out, nil
		}
	}
}

// line reads up to the next newline, which it drops.
func (s *source) line() (string, error) {
	var long []byte
	for {
		part, err := s.r.ReadSlice('\n')
		more := errors.Is(err, bufio.ErrBufferFull)
		if err != nil && !more {
			return "", ended(err)
		}
		if err := s.advance(len(part)); err != nil {
			return "", err
		}
		if err := s.budget.Alloc(3 * len(part)); err != nil { // text may grow when it is decoded
			return "", err
		}
		switch {
		case more:
			long = append(long, part...)
		case long == nil:
			return string(part[:len(part)-1]), nil
		default:
			long = append(long, part...)
			return string(long[:len(long)-1]), nil
		}
	}
}

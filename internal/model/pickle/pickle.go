// SPDX-License-Identifier: Apache-2.0

// Package pickle reads the values of .joblib, .pkl and .pickle files.
//
// Read undoes joblib's compression, and a restricted unpickler turns the opcodes
// into plain values. It never runs, imports or resolves anything that a file
// names: what Python would call is kept as an inert Object, which says what would
// be called with what. So a file may hold what no reader here understands, as long
// as no estimator needs to read it.
//
// The package reads nothing but the bytes it is given. One budget of memory and of
// steps bounds both stages, and what estimators decode afterwards.
package pickle

import (
	"errors"
	"io"

	"github.com/serin-dev/serin/internal/model/budget"
)

// Read returns the value of a file of size bytes, and the budget that is left for
// what is made of it. It reads and decompresses the file once, and holds no more than
// the values. An error that is budget.ErrMemory means that a larger limits.Memory
// would do.
func Read(r io.Reader, size int64, limits budget.Limits) (any, *budget.Budget, error) {
	if size == 0 {
		return nil, nil, errors.New("the file is empty")
	}
	b := budget.New(limits, size)
	raw, unpacked, err := decompress(&polled{io.LimitReader(r, size), b}, size, b)
	if err != nil {
		return nil, nil, err
	}
	s := newSource(raw, unpacked, b)
	value, err := unpickle(s)
	if err != nil {
		return nil, nil, err
	}
	return value, b, s.drain()
}

// drain reads what follows a pickle, for the checksums of the compression.
func (s *source) drain() error {
	for {
		n, err := s.r.Discard(s.r.Size())
		if err := s.advance(n); err != nil {
			return err
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

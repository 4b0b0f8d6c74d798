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
	"io"

	"github.com/serin-dev/serin/internal/model/budget"
)

// Read returns the value of a file of size bytes, and the budget that is left for
// what is made of it. An error that is budget.ErrMemory means that a larger
// limits.Memory would do.
func Read(r io.Reader, size int64, limits budget.Limits) (any, *budget.Budget, error) {
	b := budget.New(limits, int(size))
	if size > b.Left() {
		return nil, nil, tooLarge(b.Left())
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, nil, err
	}
	raw, err := decompress(data, b)
	if err != nil {
		return nil, nil, err
	}
	b.Unpacked(len(data), len(raw))
	value, err := unpickle(raw, b)
	return value, b, err
}

// SPDX-License-Identifier: Apache-2.0

package pickle

import (
	"bytes"
	"io"

	"github.com/serin-dev/serin/internal/model/budget"
)

// What the tests in package pickle_test need. They are there because they load
// whole models, whose packages import this one.
const (
	XZHeader    = xzHeader
	XZFooter    = xzFooter
	LZMA2Filter = lzma2Filter
)

// Decompress returns the pickle inside a file.
func Decompress(data []byte, b *budget.Budget) ([]byte, error) {
	r, _, err := decompress(bytes.NewReader(data), int64(len(data)), b)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// DecompressXZ returns the content of an xz file.
func DecompressXZ(data []byte, b *budget.Budget) ([]byte, error) {
	r, err := decompressXZ(bytes.NewReader(data), int64(len(data)), b)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// WalkChunks returns the length and the decompressed size of the chunks of a block.
func WalkChunks(data []byte) (int, int64) {
	var x xzBlock
	n, _ := x.walkChunks(data) // a broken block may have any
	return n, x.size
}

// OpsOf splits a pickle into its opcodes, each with its arguments and the elements
// of an array that follow it.
func OpsOf(pickle []byte) [][]byte {
	m := newMachine(newSource(bytes.NewReader(pickle), int64(len(pickle)), budget.New(budget.DefaultLimits, int64(len(pickle)))))
	var ops [][]byte
	for {
		at := m.pos
		op, err := m.byte()
		if err != nil {
			return nil
		}
		if op == opStop {
			return append(ops, pickle[at:m.pos])
		}
		if do := opcodes[op]; do == nil || do(m) != nil {
			return nil
		}
		ops = append(ops, pickle[at:m.pos])
	}
}

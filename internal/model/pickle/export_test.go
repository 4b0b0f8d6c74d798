// SPDX-License-Identifier: Apache-2.0

package pickle

import (
	"github.com/serin-dev/serin/internal/model/budget"
)

// What the tests in package pickle_test need. They are there because they load
// whole models, whose packages import this one.
const (
	XZHeader    = xzHeader
	XZFooter    = xzFooter
	LZMA2Filter = lzma2Filter
)

// Decompress is decompress.
func Decompress(data []byte, b *budget.Budget) ([]byte, error) { return decompress(data, b) }

// DecompressXZ is decompressXZ.
func DecompressXZ(data []byte, b *budget.Budget) ([]byte, error) { return decompressXZ(data, b) }

// WalkChunks returns the length and the decompressed size of the chunks of a block.
func WalkChunks(data []byte) (int, int64) {
	var x xzBlock
	n, _ := x.walkChunks(data) // a broken block may have any
	return n, x.size
}

// OpsOf splits a pickle into its opcodes, each with its arguments and the elements
// of an array that follow it.
func OpsOf(pickle []byte) [][]byte {
	m := &machine{data: pickle, memo: map[uint64]any{}, budget: budget.New(budget.DefaultLimits, len(pickle))}
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

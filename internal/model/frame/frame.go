// SPDX-License-Identifier: Apache-2.0

package frame

import "math"

// Frame holds rows. Its values lie row after row, in one of two kinds of block:
// dense, with Cols values for each row, or sparse, with those that are not 0. A
// reader never writes into a Frame: it may be the request's, or another branch of
// the model may read it too.
type Frame struct {
	Rows, Cols int

	// Data holds the values: numbers, or None, or Text. A missing number is NaN. An
	// integer beyond 2^53 is not exact: a protocol refuses it where it may be a name.
	Data []float64
	// Texts is empty, or has a string for each value of Data that is Text, at the
	// same index. Sparse blocks have none.
	Texts []string

	// Starts makes the block sparse: row i has the values from Starts[i] to
	// Starts[i+1], and Index has the column of each, ascending in a row.
	Starts []int
	Index  []int32

	// Names are the columns as the request named them, in the order of the schema. It
	// is empty if the request named none.
	Names []string

	// Flat means that a row was sent as one value, and not as a list, for a model whose
	// schema is open.
	Flat bool
}

// None stands for Python's None in Data, and Text for a string, which lies in
// Texts. In arithmetic both are NaN. IsNone and IsText tell them from other NaNs: a
// comparison does not.
var (
	None = math.Float64frombits(noneBits)
	Text = math.Float64frombits(textBits)
)

const (
	noneBits = 0x7ff8_5e71_0000_0001
	textBits = 0x7ff8_5e71_0000_0002
)

// IsNone reports whether a value is Python's None.
func IsNone(v float64) bool { return math.Float64bits(v) == noneBits }

// IsText reports whether a value is a string.
func IsText(v float64) bool { return math.Float64bits(v) == textBits }

// Dense returns a dense frame of numbers.
func Dense(rows, cols int, data []float64) Frame { return Frame{Rows: rows, Cols: cols, Data: data} }

// Sparse reports whether the block is sparse.
func (f *Frame) Sparse() bool { return len(f.Starts) > 0 }

// Row returns row i of a dense block.
func (f *Frame) Row(i int) []float64 { return f.Data[i*f.Cols : (i+1)*f.Cols] }

// Entries returns the columns and values of row i of a sparse block.
func (f *Frame) Entries(i int) ([]int32, []float64) {
	from, to := f.Starts[i], f.Starts[i+1]
	return f.Index[from:to], f.Data[from:to]
}

// Slice returns the rows from, from+1, ..., to-1, in the same memory.
func (f *Frame) Slice(from, to int) Frame {
	part := *f
	part.Rows = to - from
	if f.Sparse() {
		part.Starts = f.Starts[from : to+1]
		return part
	}
	part.Data = f.Data[from*f.Cols : to*f.Cols]
	if len(f.Texts) > 0 {
		part.Texts = f.Texts[from*f.Cols : to*f.Cols]
	}
	return part
}

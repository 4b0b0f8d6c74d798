// SPDX-License-Identifier: Apache-2.0

package fitted

import (
	"math"
	"strings"

	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// csr returns a value as a matrix of SciPy in compressed sparse rows, if it is one.
func (e *Estimator) csr(v any) (*Estimator, bool) {
	o, ok := v.(*pickle.Object)
	if !ok || !strings.HasPrefix(o.Class.Module, "scipy.sparse") || o.Class.Name != "csr_matrix" && o.Class.Name != "csr_array" {
		return nil, false
	}
	return e.inside(o), true
}

// Rows returns an attribute that is a matrix, dense or of compressed sparse rows, as a
// frame.
func (e *Estimator) Rows(names ...string) frame.Frame {
	if part, ok := e.csr(e.Get(names...)); ok {
		return part.sparse()
	}
	m := e.Matrix(names...)
	return frame.Dense(m.Rows, m.Cols, m.Data)
}

// sparse reads a sparse matrix.
func (e *Estimator) sparse() frame.Frame {
	data, indices, starts := e.Floats("data"), e.Ints("indices"), e.Ints("indptr")
	shape, _ := e.Get("_shape").(pickle.Tuple)
	var sizes [2]int64
	for i, v := range shape {
		if n, ok := v.(int64); ok && i < len(sizes) && n <= math.MaxInt32 {
			sizes[i] = n
		}
	}
	rows, cols := sizes[0], sizes[1]
	if len(shape) == 1 { // of a csr_array
		rows, cols = 1, sizes[0]
	}
	ok := (len(shape) == 1 || len(shape) == 2) && rows >= 0 && cols >= 0 && int64(len(starts)) == rows+1 && len(data) == len(indices)
	e.Require(ok, "a sparse matrix of it is malformed")
	if !e.Alloc(8*len(starts)+4*len(indices)) || !e.Work(len(starts)+len(indices)) {
		return frame.Frame{}
	}
	x := frame.Frame{Rows: int(rows), Cols: int(cols), Data: data, Starts: make([]int, len(starts)), Index: make([]int32, len(indices))}
	last := int64(0)
	for i, v := range starts {
		e.Require(v >= last && v <= int64(len(data)), "a sparse matrix of it is malformed")
		last, x.Starts[i] = v, int(v)
	}
	for i, c := range indices {
		e.Require(c >= 0 && c < cols, "a sparse matrix of it is malformed")
		x.Index[i] = int32(c)
	}
	if !e.Ok() {
		return frame.Frame{} // its rows may lie anywhere
	}
	return x
}

// dense reads a sparse matrix as a dense one.
func (e *Estimator) dense() vector.Matrix {
	x := e.sparse()
	e.Require(x.Rows <= math.MaxInt32/max(x.Cols, 1), "a sparse matrix of it is larger than any model needs")
	if !e.Alloc(8 * x.Rows * x.Cols) {
		return vector.Matrix{}
	}
	m := vector.Matrix{Rows: x.Rows, Cols: x.Cols, Data: make([]float64, x.Rows*x.Cols)}
	for i := range m.Rows {
		row := m.Row(i)
		columns, values := x.Entries(i)
		for k, c := range columns {
			row[c] += values[k]
		}
	}
	return m
}

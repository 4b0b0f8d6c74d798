// SPDX-License-Identifier: Apache-2.0

package fitted

import (
	"math"
	"strings"

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

// dense reads a sparse matrix as a dense one.
func (e *Estimator) dense() vector.Matrix {
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
	ok := (len(shape) == 1 || len(shape) == 2) && rows > 0 && cols > 0 && rows <= math.MaxInt32/cols && int64(len(starts)) == rows+1 && len(data) == len(indices)
	e.Require(ok, "a sparse matrix of it is malformed")
	if !e.Alloc(int(8 * max(rows*cols, 0))) {
		return vector.Matrix{}
	}
	m := vector.Matrix{Rows: int(rows), Cols: int(cols), Data: make([]float64, rows*cols)}
	for i := range m.Rows {
		from, to := starts[i], starts[i+1]
		if from < 0 || from > to || to > int64(len(data)) || !e.Work(int(1+to-from)) {
			e.Failf("a sparse matrix of it is malformed")
			return vector.Matrix{}
		}
		for k := from; k < to; k++ {
			c := indices[k]
			if c < 0 || c >= cols {
				e.Failf("a sparse matrix of it is malformed")
				return vector.Matrix{}
			}
			m.Data[int64(i)*cols+c] += data[k]
		}
	}
	return m
}

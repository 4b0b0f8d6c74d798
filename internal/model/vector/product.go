// SPDX-License-Identifier: Apache-2.0

package vector

// short is the width up to which plain code is as fast.
const short = 8

// Product fills dst with the products of rows of x with the rows of m, which are as
// wide: m.Rows values for each row of x, to which those of add are added. A product
// has the same bits whatever others are made with it, so that an answer does not
// depend on the block that it is asked in.
func Product(dst, x []float64, m *Matrix, add []float64) {
	if m.Rows == 0 {
		return
	}
	rows, cols, i := len(dst)/m.Rows, m.Cols, 0
	if cols <= short || !fast {
		for ; i < rows; i++ {
			plain(dst[i*m.Rows:(i+1)*m.Rows], x[i*cols:(i+1)*cols], m, add)
		}
	}
	for ; i+4 <= rows; i += 4 {
		four(dst[i*m.Rows:(i+4)*m.Rows], m.Rows, x[i*cols:(i+4)*cols], m, add)
	}
	for ; i < rows; i++ {
		one(dst[i*m.Rows:(i+1)*m.Rows], x[i*cols:(i+1)*cols], m, add)
	}
}

// plain multiplies one row.
func plain(dst, row []float64, m *Matrix, add []float64) {
	Dots(dst, row, m)
	for j := range dst {
		dst[j] += add[j]
	}
}

// four multiplies four rows, which lie one after the other, with each row of m. The
// products of the first lie side by side, and those of the others strides later.
func four(dst []float64, stride int, rows []float64, m *Matrix, add []float64) {
	// What the assembly reads and writes, it does not check.
	_, _, _, _ = dst[3*stride+m.Rows-1], rows[4*m.Cols-1], m.Data[m.Rows*m.Cols-1], add[m.Rows-1]
	fourFast(&dst[0], stride, &rows[0], m.Cols, &m.Data[0], &add[0], m.Cols, m.Rows)
}

var nothing = []float64{0}

// one multiplies one row, with four rows of m at a time.
func one(dst, row []float64, m *Matrix, add []float64) {
	turned, j := &Matrix{1, m.Cols, row}, 0
	for ; j+4 <= m.Rows; j += 4 {
		four(dst[j:j+4], 1, m.Data[j*m.Cols:(j+4)*m.Cols], turned, nothing)
	}
	for ; j < m.Rows; j++ {
		var same [4]float64
		_ = row[m.Cols-1]
		fourFast(&same[0], 1, &row[0], 0, &m.Row(j)[0], &nothing[0], m.Cols, 1)
		dst[j] = same[0]
	}
	for j, v := range add[:m.Rows] {
		dst[j] += v
	}
}

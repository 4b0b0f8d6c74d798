// SPDX-License-Identifier: Apache-2.0

package vector

// Distances fills dst with the squared distances of rows of x and the rows of m, as
// Product does with their products.
func Distances(dst, x []float64, m *Matrix) {
	if m.Rows == 0 {
		return
	}
	rows, cols, i := len(dst)/m.Rows, m.Cols, 0
	if cols <= short || !fast {
		for ; i < rows; i++ {
			SquaredDistances(dst[i*m.Rows:(i+1)*m.Rows], x[i*cols:(i+1)*cols], m)
		}
	}
	for ; i+4 <= rows; i += 4 {
		fourApart(dst[i*m.Rows:(i+4)*m.Rows], m.Rows, x[i*cols:(i+4)*cols], m)
	}
	for ; i < rows; i++ {
		oneApart(dst[i*m.Rows:(i+1)*m.Rows], x[i*cols:(i+1)*cols], m)
	}
}

// fourApart measures four rows as four multiplies them.
func fourApart(dst []float64, stride int, rows []float64, m *Matrix) {
	_, _, _ = dst[3*stride+m.Rows-1], rows[4*m.Cols-1], m.Data[m.Rows*m.Cols-1]
	apartFast(&dst[0], stride, &rows[0], m.Cols, &m.Data[0], m.Cols, m.Rows)
}

// oneApart measures one row, with four rows of m at a time.
func oneApart(dst, row []float64, m *Matrix) {
	turned, j := &Matrix{1, m.Cols, row}, 0
	for ; j+4 <= m.Rows; j += 4 {
		fourApart(dst[j:j+4], 1, m.Data[j*m.Cols:(j+4)*m.Cols], turned)
	}
	for ; j < m.Rows; j++ {
		var same [4]float64
		_ = row[m.Cols-1]
		apartFast(&same[0], 1, &row[0], 0, &m.Row(j)[0], m.Cols, 1)
		dst[j] = same[0]
	}
}

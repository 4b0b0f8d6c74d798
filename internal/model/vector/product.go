// SPDX-License-Identifier: Apache-2.0

package vector

// Product fills dst with the products of rows of x with the rows of m, which are as
// wide: m.Rows values for each row of x, to which those of add are added. Each is
// summed in the order of the elements, as Dot does. Four sums at a time keep the
// processor busy while each waits for its own last addition.
func Product(dst, x []float64, m Matrix, add []float64) {
	if m.Rows == 0 {
		return
	}
	rows, cols := len(dst)/m.Rows, m.Cols
	i := 0
	for ; i+4 <= rows; i += 4 {
		four, out := x[i*cols:(i+4)*cols], dst[i*m.Rows:(i+4)*m.Rows]
		for j, v := range add[:m.Rows] {
			a, b, c, d := dotFour(m.Row(j), four)
			out[j], out[m.Rows+j], out[2*m.Rows+j], out[3*m.Rows+j] = a+v, b+v, c+v, d+v
		}
	}
	for ; i < rows; i++ {
		row, out := x[i*cols:(i+1)*cols], dst[i*m.Rows:(i+1)*m.Rows]
		j := 0
		for ; j+4 <= m.Rows; j += 4 {
			a, b, c, d := dotFour(row, m.Data[j*cols:(j+4)*cols])
			out[j], out[j+1], out[j+2], out[j+3] = a+add[j], b+add[j+1], c+add[j+2], d+add[j+3]
		}
		for ; j < m.Rows; j++ {
			out[j] = Dot(row, m.Row(j)) + add[j]
		}
	}
}

// dotFour returns the products of v with four rows.
func dotFour(v, four []float64) (a, b, c, d float64) {
	n := len(v)
	p, q, r, s := four[:n], four[n:2*n], four[2*n:3*n], four[3*n:4*n]
	q, r, s = q[:len(p)], r[:len(p)], s[:len(p)] // spare the bounds checks below
	v = v[:len(p)]
	for i, x := range p {
		y := v[i]
		a += y * x
		b += y * q[i]
		c += y * r[i]
		d += y * s[i]
	}
	return a, b, c, d
}

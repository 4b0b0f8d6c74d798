// SPDX-License-Identifier: Apache-2.0

package vector

import "math"

const width = 8 // of a group of rows

// Lanes is a matrix whose rows are compared with others in the order of the columns, as
// scikit-learn does. A product is added without rounding it (FMA), as OpenBLAS does.
// Eight rows lie side by side.
type Lanes struct {
	Rows, Cols int
	data, last []float64 // of the groups that are full, and of the one that is not
}

// LanesSize is the number of values that NewLanes takes memory for.
func LanesSize(cols int) int { return 2 * width * cols }

func padded(n int) int { return (n + width - 1) / width * width }

// NewLanes returns the rows of a matrix, multiplied by a number. It lays them out in the
// memory of the matrix, which has no rows from then on.
func NewLanes(m *Matrix, by float64) Lanes {
	size := width * m.Cols
	full := m.Rows / width * size
	l := Lanes{Rows: m.Rows, Cols: m.Cols, data: m.Data[:full:full]}
	group := make([]float64, size)
	for from := 0; from < full; from += size {
		copy(group, l.data[from:])
		lay(l.data[from:from+size], group, m.Cols, by)
	}
	if full < len(m.Data) {
		l.last = make([]float64, size)
		lay(l.last, m.Data[full:], m.Cols, by)
	}
	m.Data = nil
	return l
}

// lay puts at most eight rows side by side.
func lay(dst, rows []float64, cols int, by float64) {
	for i, v := range rows {
		dst[i%cols*width+i/cols] = v * by
	}
}

// Stride is the number of values that Products writes for each row.
func (l *Lanes) Stride() int { return padded(l.Rows) }

// Products fills dst with the products of rows of x and those of the matrix. The first
// l.Rows of each l.Stride() values belong to a row of x.
func (l *Lanes) Products(dst, x []float64) {
	l.each(dst, x, lanesFast, multiply)
}

// Blocks fills dst with the sums of the absolute differences, as Products does.
func (l *Lanes) Blocks(dst, x []float64) {
	l.each(dst, x, blocksFast, walk)
}

func (l *Lanes) each(dst, x []float64, four func(*float64, int, *float64, int, *float64, int, int), plain func(sums *[width]float64, row, group []float64)) {
	if l.Rows == 0 || l.Cols == 0 || len(x) == 0 {
		clear(dst)
		return
	}
	n, stride := len(x)/l.Cols, l.Stride()
	// What the assembly reads and writes, it does not check.
	_, _ = dst[:n*stride], x[:n*l.Cols]
	for at, part := range [][]float64{l.data, l.last} {
		if groups := len(part) / (width * l.Cols); groups > 0 {
			l.compare(dst[at*len(l.data)/l.Cols:], x, part, groups, four, plain)
		}
	}
}

// compare compares rows with some groups.
func (l *Lanes) compare(dst, x, part []float64, groups int, four func(*float64, int, *float64, int, *float64, int, int), plain func(sums *[width]float64, row, group []float64)) {
	n, stride, i := len(x)/l.Cols, l.Stride(), 0
	if !fast {
		for ; i < n; i++ {
			row := x[i*l.Cols : (i+1)*l.Cols]
			for g := range groups {
				plain((*[width]float64)(dst[i*stride+g*width:]), row, part[g*width*l.Cols:(g+1)*width*l.Cols])
			}
		}
	}
	for ; i+4 <= n; i += 4 {
		four(&dst[i*stride], stride, &x[i*l.Cols], l.Cols, &part[0], l.Cols, groups)
	}
	for ; i < n; i++ {
		four(&dst[i*stride], 0, &x[i*l.Cols], 0, &part[0], l.Cols, groups)
	}
}

// multiply sets sums to the products of a row and the eight of a group.
func multiply(sums *[width]float64, row, group []float64) {
	var a, b, c, d, e, f, g, h float64
	for i, v := range row {
		m := (*[width]float64)(group[i*width:])
		a, b, c, d = math.FMA(v, m[0], a), math.FMA(v, m[1], b), math.FMA(v, m[2], c), math.FMA(v, m[3], d)
		e, f, g, h = math.FMA(v, m[4], e), math.FMA(v, m[5], f), math.FMA(v, m[6], g), math.FMA(v, m[7], h)
	}
	*sums = [width]float64{a, b, c, d, e, f, g, h}
}

// walk sets sums to those of the absolute differences.
func walk(sums *[width]float64, row, group []float64) {
	var a, b, c, d, e, f, g, h float64
	for i, v := range row {
		m := (*[width]float64)(group[i*width:])
		a, b, c, d = a+math.Abs(v-m[0]), b+math.Abs(v-m[1]), c+math.Abs(v-m[2]), d+math.Abs(v-m[3])
		e, f, g, h = e+math.Abs(v-m[4]), f+math.Abs(v-m[5]), g+math.Abs(v-m[6]), h+math.Abs(v-m[7])
	}
	*sums = [width]float64{a, b, c, d, e, f, g, h}
}

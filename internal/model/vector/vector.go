// SPDX-License-Identifier: Apache-2.0

// Package vector computes with slices of numbers, for the kernels. The order of a sum
// depends on its length alone, so that an answer does not depend on the block it was
// asked in.
//
// Product, Distances, Lanes, Within and Singles have assembly for AVX2, the only one of this
// project: batches of linear models, perceptrons, mixtures, support vectors and
// neighbours take 2 to 10 times as long without it, and longer than with scikit-learn's
// BLAS. Other processors run plain code.
package vector

import "math"

// Matrix holds Rows * Cols values, row after row.
type Matrix struct {
	Rows, Cols int
	Data       []float64
}

// Row returns row i.
func (m *Matrix) Row(i int) []float64 { return m.Data[i*m.Cols : (i+1)*m.Cols] }

// Dot multiplies x with as many values of y.
func Dot(x, y []float64) float64 {
	sum := 0.0
	y = y[:len(x)] // spares the bounds checks below
	for i, v := range x {
		sum += v * y[i]
	}
	return sum
}

// SquaredDistance returns that between x and as many values of y.
func SquaredDistance(x, y []float64) float64 {
	sum := 0.0
	y = y[:len(x)]
	for i, v := range x {
		d := v - y[i]
		sum += d * d
	}
	return sum
}

// Dots fills dst with the products of x and the rows of m: four rows at a time, each
// summed in order.
func Dots(dst, x []float64, m *Matrix) {
	n, rest := len(x), m.Data
	for ; len(dst) >= 4; dst, rest = dst[4:], rest[4*n:] {
		a, b, c, d := rest[:n], rest[n:][:n], rest[2*n:][:n], rest[3*n:][:n]
		var sa, sb, sc, sd float64
		for i, v := range x {
			sa += v * a[i]
			sb += v * b[i]
			sc += v * c[i]
			sd += v * d[i]
		}
		dst[0], dst[1], dst[2], dst[3] = sa, sb, sc, sd
	}
	for i := range dst {
		dst[i] = Dot(x, rest[i*n:])
	}
}

// SquaredDistances fills dst with those between x and the rows of m, as Dots does.
func SquaredDistances(dst, x []float64, m *Matrix) {
	n, rest := len(x), m.Data
	for ; len(dst) >= 4; dst, rest = dst[4:], rest[4*n:] {
		a, b, c, d := rest[:n], rest[n:][:n], rest[2*n:][:n], rest[3*n:][:n]
		var sa, sb, sc, sd float64
		for i, v := range x {
			da, db, dc, dd := v-a[i], v-b[i], v-c[i], v-d[i]
			sa += da * da
			sb += db * db
			sc += dc * dc
			sd += dd * dd
		}
		dst[0], dst[1], dst[2], dst[3] = sa, sb, sc, sd
	}
	for i := range dst {
		dst[i] = SquaredDistance(x, rest[i*n:])
	}
}

// Argmax returns the first index of the largest value, or of NaN, as numpy does.
func Argmax[T int | float64](values []T) int {
	best := 0
	for i, v := range values {
		switch {
		case v > values[best]:
			best = i
		case v != v:
			return i
		}
	}
	return best
}

// Normalize makes the values sum to 1, unless they sum to 0.
func Normalize(values []float64) {
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	if sum == 0 {
		return
	}
	for i := range values {
		values[i] /= sum
	}
}

// Softmax replaces scores by probabilities that sum to 1.
func Softmax(scores []float64) {
	highest := scores[Argmax(scores)]
	for i, v := range scores {
		scores[i] = math.Exp(v - highest)
	}
	Normalize(scores)
}

// Sigmoid is the logistic function.
func Sigmoid(x float64) float64 {
	if x < 0 {
		e := math.Exp(x)
		return e / (1 + e)
	}
	return 1 / (1 + math.Exp(-x))
}

// Transpose returns the matrix whose rows are the columns of this one.
func (m *Matrix) Transpose() Matrix {
	out := Matrix{m.Cols, m.Rows, make([]float64, len(m.Data))}
	for i := range m.Rows {
		for j, v := range m.Row(i) {
			out.Data[j*m.Rows+i] = v
		}
	}
	return out
}

// SPDX-License-Identifier: Apache-2.0

package vector

import "math"

// Norm returns a norm of a row by scikit-learn's name of it, or nil.
func Norm(name string) func(row []float64) float64 {
	switch name {
	case "l1":
		return L1
	case "l2":
		return L2
	case "max":
		return Max
	}
	return nil
}

// L1 returns the sum of the absolute values.
func L1(row []float64) float64 {
	sum := 0.0
	for _, v := range row {
		sum += math.Abs(v)
	}
	return sum
}

// L2 returns the Euclidean norm.
func L2(row []float64) float64 { return math.Sqrt(Dot(row, row)) }

// Max returns the largest absolute value.
func Max(row []float64) float64 {
	most := 0.0
	for _, v := range row {
		most = max(most, math.Abs(v))
	}
	return most
}

// Divide divides the values by a number, unless that is 0.
func Divide(row []float64, by float64) {
	if by == 0 {
		return
	}
	for j := range row {
		row[j] /= by
	}
}

// SPDX-License-Identifier: Apache-2.0

package svm

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// kernel is a similarity of two rows: what finish makes of their product, or of their
// squared distance.
type kernel struct {
	distance bool
	finish   func(values []float64)
	cost     int // of finish, in steps for each value
}

func newKernel(e *fitted.Estimator) kernel {
	name := e.Text("", "kernel")
	if name == "linear" {
		return kernel{finish: func([]float64) {}}
	}
	gamma := e.Number("_gamma")
	switch name {
	case "rbf":
		return kernel{true, func(values []float64) {
			for i, d := range values {
				values[i] = -gamma * d
			}
			vector.Exp(values)
		}, 4}
	case "poly":
		coef, degree := e.Number("coef0"), e.Int(1<<20, "degree")
		return kernel{false, func(values []float64) {
			for i, d := range values {
				values[i] = power(gamma*d+coef, degree)
			}
		}, 20}
	case "sigmoid":
		coef := e.Number("coef0")
		return kernel{false, func(values []float64) {
			for i, d := range values {
				values[i] = math.Tanh(gamma*d + coef)
			}
		}, 20}
	}
	e.Failf("kernel %s is not supported; supported are linear, poly, rbf, sigmoid", pickle.Quote(name))
	return kernel{}
}

// power multiplies in the order of libsvm, so that it rounds as libsvm does.
func power(base float64, times int) float64 {
	result := 1.0
	for ; times > 0; times /= 2 {
		if times%2 == 1 {
			result *= base
		}
		base *= base
	}
	return result
}

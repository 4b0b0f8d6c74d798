// SPDX-License-Identifier: Apache-2.0

package vector

import "math"

// Exp replaces values by e to their power, which is the same for the same value wherever it stands. It
// differs from math.Exp by two units in the last place at most.
func Exp(values []float64) {
	const step, limit = 16, 708 // beyond it, a power of 2 is no usual float
	if !fast {
		for i, v := range values {
			values[i] = math.Exp(v)
		}
		return
	}
	if n := len(values) &^ (step - 1); n > 0 && Within(values[:n], limit) {
		expFast(&values[0], n)
		values = values[n:]
	}
	for len(values) > 0 {
		var some [step]float64
		part := values[:min(step, len(values))]
		for i, v := range part {
			if math.Abs(v) <= limit {
				some[i] = v
			}
		}
		expFast(&some[0], step)
		for i, v := range part {
			if math.Abs(v) <= limit {
				part[i] = some[i]
			} else {
				part[i] = math.Exp(v)
			}
		}
		values = values[len(part):]
	}
}

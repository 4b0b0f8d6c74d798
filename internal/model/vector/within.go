// SPDX-License-Identifier: Apache-2.0

package vector

import "math"

// Within reports whether all values lie between -limit and limit. NaN does not.
func Within(values []float64, limit float64) bool {
	const step = 16
	if n := len(values) &^ (step - 1); n > 0 && fast {
		if !withinFast(&values[0], n, limit) {
			return false
		}
		values = values[n:]
	}
	for _, v := range values {
		if math.IsNaN(v) || math.Abs(v) > limit {
			return false
		}
	}
	return true
}

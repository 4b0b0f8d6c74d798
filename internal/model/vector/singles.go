// SPDX-License-Identifier: Apache-2.0

package vector

// Singles rounds values to float32.
func Singles(dst []float32, values []float64) {
	const step = 8
	dst, done := dst[:len(values)], 0
	if n := len(values) &^ (step - 1); n > 0 && fast {
		singlesFast(&dst[0], &values[0], n)
		done = n
	}
	for i, v := range values[done:] {
		dst[done+i] = float32(v)
	}
}

// SPDX-License-Identifier: Apache-2.0

package columns

import "testing"

func TestSumsAreNumpys(t *testing.T) {
	for n, want := range map[int]float64{
		5: 0.0928571428571427, 8: -0.6710317460317461, 100: -25.792917570692747, 128: -33.95140866173403,
		129: -34.143775073947765, 1000: -293.7125321344586,
	} {
		values := make([]float64, n)
		for i := range values {
			values[i] = 1/float64(i+3) - 0.1*float64(i%7)
		}
		if got := pairwise(values); got != want {
			t.Errorf("%d values sum to %v, want %v", n, got, want)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package bayes

import (
	"math"
	"testing"
)

// The values are SciPy's.
func TestDigamma(t *testing.T) {
	for x, want := range map[float64]float64{
		1: -0.5772156649015329, 2: 0.42278433509846713, 0.5: -1.9635100260214235, 10: 2.251752589066721, 1e-3: -1000.5755719318103, 1e8: 18.420680738952367, 37.25: 3.604169073005627,
	} {
		if got := digamma(x); math.Abs(got-want) > 1e-13*max(1, math.Abs(want)) {
			t.Errorf("%v: %v, want %v", x, got, want)
		}
	}
	if got := digamma(-1); !math.IsNaN(got) {
		t.Errorf("-1: %v, want NaN", got)
	}
}

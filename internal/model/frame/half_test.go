// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"math"
	"testing"
)

// Each half is what its bits say: the nearest halves of a float32 are themselves.
func TestHalvesAreExact(t *testing.T) {
	for bits, want := range map[uint16]float64{
		0: 0, 1: math.Ldexp(1, -24), 0x3ff: math.Ldexp(1023, -24), 0x400: math.Ldexp(1, -14), 0x3c00: 1, 0xbc00: -1, 0xc000: -2, 0x3555: 0.333251953125,
		0x7bff: 65504, 0x7c00: math.Inf(1), 0xfc00: math.Inf(-1), 0x4cd: 1229 * math.Ldexp(1, -24),
	} {
		if got := Half(bits); got != want {
			t.Errorf("%#x is %v, want %v", bits, got, want)
		}
	}
	for bits := range uint16(0x7c00) {
		if low, high := Half(bits), Half(bits+1); low >= high {
			t.Fatalf("%#x is %v, but the next is %v", bits, low, high)
		}
	}
	if got := Half(0x7e00); !math.IsNaN(got) {
		t.Errorf("a NaN is %v", got)
	}
}

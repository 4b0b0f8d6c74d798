// SPDX-License-Identifier: Apache-2.0

package vector

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestExp(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	edges := []float64{0, math.Copysign(0, -1), 1, -1, 708, -708, 709.7, 709.8, -708.1, -744, -746, 1e-300, -1e-17, math.Ln2, math.Ln2 / 2, math.Inf(1), math.Inf(-1), math.NaN(), math.MaxFloat64}
	for n := range 70 {
		for _, wide := range []float64{1, 700, 1000} {
			in := make([]float64, n)
			for i := range in {
				in[i] = (2*r.Float64() - 1) * wide
				if wide == 1000 && r.IntN(2) == 0 {
					in[i] = edges[r.IntN(len(edges))]
				}
			}
			got := append([]float64(nil), in...)
			Exp(got)
			for i, v := range in {
				alone := []float64{v}
				Exp(alone)
				want := math.Exp(v)
				same := math.Float64bits(got[i]) == math.Float64bits(alone[0])
				if near := got[i] == want || want != want && got[i] != got[i] || math.Abs(got[i]-want) <= 2*(math.Nextafter(want, math.Inf(1))-want); !same || !near {
					t.Fatalf("exp(%v) is %v, alone %v, and in Go %v", v, got[i], alone[0], want)
				}
			}
		}
	}
	zero := []float64{0, math.Copysign(0, -1)}
	Exp(zero)
	if zero[0] != 1 || zero[1] != 1 {
		t.Errorf("exp(0) is %v", zero)
	}
}

// BenchmarkExp compares with math.Exp.
func BenchmarkExp(b *testing.B) {
	in, out := make([]float64, 2000), make([]float64, 2000)
	for i := range in {
		in[i] = -float64(i) / 100
	}
	b.Run("ours", func(b *testing.B) {
		for b.Loop() {
			copy(out, in)
			Exp(out)
		}
	})
	b.Run("math", func(b *testing.B) {
		for b.Loop() {
			for i, v := range in {
				out[i] = math.Exp(v)
			}
		}
	})
}

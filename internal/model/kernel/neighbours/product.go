// SPDX-License-Identifier: Apache-2.0

package neighbours

import (
	"math"

	"github.com/serin-dev/serin/internal/model/vector"
)

// products fills dst with the products of a row and those of m. It rounds as OpenBLAS
// does, which adds a product at a time without rounding it (FMA): so rows that are
// equally far, but for rounding, come in scikit-learn's order.
func products(dst, x []float64, m *vector.Matrix) {
	n, rest := len(x), m.Data
	for ; len(dst) >= 4; dst, rest = dst[4:], rest[4*n:] {
		a, b, c, d := rest[:n], rest[n:][:n], rest[2*n:][:n], rest[3*n:][:n]
		var sa, sb, sc, sd float64
		for i, v := range x {
			sa = math.FMA(v, a[i], sa)
			sb = math.FMA(v, b[i], sb)
			sc = math.FMA(v, c[i], sc)
			sd = math.FMA(v, d[i], sd)
		}
		dst[0], dst[1], dst[2], dst[3] = sa, sb, sc, sd
	}
	for i := range dst {
		dst[i] = dot(x, rest[i*n:])
	}
}

// dot is one of them.
func dot(x, y []float64) float64 {
	sum := 0.0
	for i, v := range x {
		sum = math.FMA(v, y[i], sum)
	}
	return sum
}

// SPDX-License-Identifier: Apache-2.0

package neighbours

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/model/graph"
)

// distances are some that are often equal.
func distances(n, seed int) []float64 {
	var all []float64
	for i := range n {
		all = append(all, float64((i*i*7+i*seed)%13))
	}
	return all
}

func TestHeapAndPartitionFindTheNearest(t *testing.T) {
	for n := 1; n < 60; n++ {
		far := distances(n, n%5)
		want := slices.Sorted(slices.Values(far))
		for k := 1; k <= n; k++ {
			heaped, chosen := heap{make([]float64, k), make([]int, k)}, heap{make([]float64, k), make([]int, k)}
			heaped.reset()
			for i, v := range far {
				heaped.push(v, i)
			}
			choose(&graph.Work{}, &chosen, far)
			for name, h := range map[string]*heap{"the heap": &heaped, "the partition": &chosen} {
				h.sort()
				if diff := cmp.Diff(want[:k], h.far); diff != "" {
					t.Fatalf("%s of %d, k = %d (-want +got):\n%s", name, n, k, diff)
				}
				rows := slices.Sorted(slices.Values(h.row))
				if len(slices.Compact(rows)) != k {
					t.Fatalf("%s of %d, k = %d: a row is there twice", name, n, k)
				}
				for i, r := range h.row {
					if far[r] != h.far[i] {
						t.Fatalf("%s of %d, k = %d: row %d is %v far, not %v", name, n, k, r, far[r], h.far[i])
					}
				}
			}
		}
	}
}

func TestRowsAtTheSamePlaceCountAlone(t *testing.T) {
	for name, test := range map[string]struct{ far, want []float64 }{
		"none is": {[]float64{0.5, 2}, []float64{2, 0.5}},
		"two are": {[]float64{0, 2, 0}, []float64{1, 0, 1}},
		"one is nearer than a float64 can invert": {[]float64{1e-310, 2}, []float64{1, 0}},
	} {
		weigh(test.far, true)
		if diff := cmp.Diff(test.want, test.far); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestPartitionPutsMissingDistancesLast(t *testing.T) {
	far := []float64{math.NaN(), 3, math.NaN(), 1, 2, 5, 4}
	h := heap{make([]float64, 5), make([]int, 5)}
	choose(&graph.Work{}, &h, far)
	h.sort()
	if diff := cmp.Diff([]float64{1, 2, 3, 4, 5}, h.far); diff != "" {
		t.Error(diff)
	}
}

func TestPowersAreRoundedOnce(t *testing.T) {
	for _, test := range []struct{ x, p, want float64 }{
		{0.1, 3, 0.0010000000000000002},
		{0.7, 3, 0.3429999999999999},
		{2, 16, 65536},
		{4, 1.5, 8},
		{3, 1, 3},
		{1e300, 3, math.Inf(1)},
		{math.Inf(1), 2, math.Inf(1)},
		{0, 5, 0},
	} {
		if got := power(test.x, test.p); got != test.want {
			t.Errorf("%v^%v is %v, want %v", test.x, test.p, got, test.want)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestTurnsSpreadTheRarerShareEvenly(t *testing.T) {
	for _, c := range []struct {
		name   string
		shares []int
		want   []int
	}{
		{"nothing", nil, nil},
		{"only zeros", []int{0, 0}, nil},
		{"all for one", []int{100}, []int{0}},
		{"zero gets nothing", []int{0, 100}, []int{1}},
		{"half and half alternate", []int{50, 50}, []int{0, 1}},
		{"a tenth comes once in ten", []int{10, 90}, []int{1, 1, 1, 1, 1, 1, 1, 1, 0, 1}},
		{"three ways", []int{25, 25, 50}, []int{2, 0, 1, 2}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, turns(c.shares)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// checkTurns fails unless the counts follow the shares within one request from
// the start of a round, and any 100 consecutive requests split exactly.
func checkTurns(t interface{ Fatalf(string, ...any) }, shares []int) {
	round := turns(shares)
	if 100%len(round) != 0 {
		t.Fatalf("%v: a round of %d does not divide 100", shares, len(round))
	}
	had := make([]int, len(shares))
	for n := 1; n <= 100; n++ {
		had[round[(n-1)%len(round)]]++
		for i, s := range shares {
			if off := had[i]*100 - s*n; off <= -100 || off >= 100 {
				t.Fatalf("%v: after %d requests share %d had %d", shares, n, i, had[i])
			}
		}
	}
	if diff := cmp.Diff(shares, had); diff != "" {
		t.Fatalf("%v: a hundred requests split differently: %s", shares, diff)
	}
}

func TestTurnsFollowEveryPairOfShares(t *testing.T) {
	for c := range 101 {
		checkTurns(t, []int{c, 100 - c})
	}
}

func TestTurnsFollowEveryTripleOfShares(t *testing.T) {
	for a := range 101 {
		for b := range 101 - a {
			checkTurns(t, []int{a, b, 100 - a - b})
		}
	}
}

func TestTurnsFollowAnyShares(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		checkTurns(t, drawHundred(t))
	})
}

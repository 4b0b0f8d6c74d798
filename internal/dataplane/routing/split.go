// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"math/bits"
	"sync/atomic"
)

// split draws the share of each request. The draw is a function of the key and of the
// number of the request, so it needs no lock, and the same key draws the same. Tables
// use one split until the shares change.
//
// Two shares are drawn by strata. More are dealt: a stratum of several rare requests
// would be off by more than one in a hundred (docs/decisions/0024).
type split struct {
	key    uint64
	turn   atomic.Uint64 // number of the next request
	strata *strata       // of the first of two shares; nil: there are not two
	first  int
	last   int   // the only share or the second of two; -1: there is none
	round  *deal // of more than two shares; nil: there are not more
}

// newSplit returns the split by shares, which add up to any total.
func newSplit(shares []int, key uint64) *split {
	s := &split{key: key, last: -1}
	n := 0
	for i, percent := range shares {
		if percent > 0 {
			s.first, s.last = s.last, i
			n++
		}
	}
	switch {
	case n == 2:
		s.strata = newStrata(shares[s.first], shares[s.last])
	case n > 2:
		s.round = newDeal(shares)
	}
	return s
}

// empty reports whether no share is above zero.
func (s *split) empty() bool { return s.last < 0 }

// next returns the share that takes the next request. Some share must be above zero.
// It counts first: then the processor owns the cache line of the fields that it reads.
func (s *split) next() int {
	n := s.turn.Add(1) - 1
	switch {
	case s.strata != nil:
		if s.strata.first(s.key, n) {
			return s.first
		}
	case s.round != nil:
		return s.round.share(s.key, n)
	}
	return s.last
}

// golden is the increment of SplitMix64, and mix its finalizer: mix(key + i*golden) is
// the i-th output (https://prng.di.unimi.it/splitmix64.c).
const golden = 0x9e3779b97f4a7c15

// random returns the i-th output of the generator of a key, from 0 to n-1.
func random(key, i, n uint64) uint64 {
	hi, _ := bits.Mul64(mix(key+i*golden), n)
	return hi
}

// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"math"
	"slices"
	"sync/atomic"
	"time"
)

// Durations are the upper bounds, in seconds, of the buckets in which Answers count how
// long requests took. What took longer is counted in no bucket.
var Durations = [...]float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120, 300}

// Answers counts the requests of a revision that have ended. It is the zero value at
// first.
type Answers struct {
	classes   [6]atomic.Uint64
	durations [len(Durations)]atomic.Uint64
	seconds   atomic.Uint64 // the bits of a float64
}

// Add counts a request with its status, or 0, and how long it took.
func (a *Answers) Add(status int, took time.Duration) {
	a.classes[min(max(status/100, 0), len(a.classes)-1)].Add(1)
	seconds := took.Seconds()
	if i, _ := slices.BinarySearch(Durations[:], seconds); i < len(a.durations) {
		a.durations[i].Add(1)
	}
	for {
		old := a.seconds.Load()
		if a.seconds.CompareAndSwap(old, math.Float64bits(math.Float64frombits(old)+seconds)) {
			return
		}
	}
}

// Counted are the Answers so far.
type Counted struct {
	Classes   [6]uint64              // by the status code's first digit
	Count     uint64                 // of all
	Seconds   float64                // of all
	Durations [len(Durations)]uint64 // of at most so many seconds; each includes those before
}

// Counted returns the Answers so far. A request that ends meanwhile may be in one number
// and not in another.
func (a *Answers) Counted() Counted {
	c := Counted{Seconds: math.Float64frombits(a.seconds.Load())}
	sum := uint64(0)
	for i := range a.durations {
		sum += a.durations[i].Load()
		c.Durations[i] = sum
	}
	for i := range a.classes { // after the durations, so that Count is at least their sum
		c.Classes[i] = a.classes[i].Load()
		c.Count += c.Classes[i]
	}
	return c
}

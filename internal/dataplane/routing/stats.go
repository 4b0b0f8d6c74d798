// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"sync"
	"sync/atomic"
	"time"
)

// Load is the load of one revision, now and in total.
type Load struct {
	InFlight int     // requests that have begun and not ended, including waiting ones
	Seconds  float64 // request-seconds in total: the integral of InFlight over time
	Requests int     // requests that have begun in total
}

// RevisionStats counts the requests for one revision. All tables and the revision's
// Endpoints share it.
type RevisionStats struct {
	Namespace string
	Revision  string
	Answers   Answers

	turn    atomic.Uint64 // of the revision's Pods
	waiting atomic.Int64

	mu       sync.Mutex // guards the fields below
	origin   time.Time  // the zero moment
	read     int64      // the moment of the latest Load
	inFlight int64
	requests int64
	// spent is the sum of the moments of all ends, minus that of all beginnings. If
	// the requests in flight ended now, it would be the integral. The order of the
	// calls does not matter.
	spent int64
}

// Begin counts a request as in flight.
func (s *RevisionStats) Begin(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.requests == 0 {
		s.origin = now
	}
	s.requests++
	s.inFlight++
	s.spent -= s.moment(now)
}

// End undoes Begin. It ends the request no earlier than the latest Load, so that
// Load.Seconds never shrinks.
func (s *RevisionStats) End(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.inFlight--
	s.spent += max(s.moment(now), s.read)
}

// Load returns the load until now.
func (s *RevisionStats) Load(now time.Time) Load {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := Load{InFlight: int(s.inFlight), Requests: int(s.requests)}
	if s.requests > 0 {
		s.read = max(s.read, s.moment(now))
		l.Seconds = float64(s.spent+s.inFlight*s.read) / 1e6
	}
	return l
}

// AddWaiting adds n to the number of requests that wait for a Pod.
func (s *RevisionStats) AddWaiting(n int) { s.waiting.Add(int64(n)) }

// Waiting returns how many requests wait for a Pod.
func (s *RevisionStats) Waiting() int { return int(s.waiting.Load()) }

// moment converts a time to microseconds since the origin. The sum of nanoseconds
// would overflow within the life of a router.
func (s *RevisionStats) moment(t time.Time) int64 { return t.Sub(s.origin).Microseconds() }

// busy reports whether any request is in flight.
func (s *RevisionStats) busy() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.inFlight > 0
}

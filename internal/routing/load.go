// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"sync"
	"sync/atomic"
	"time"
)

// Load is what one revision is asked for, and was so far.
type Load struct {
	InFlight int     // begun and not ended, waiting ones included
	Seconds  float64 // request-seconds so far: the integral of InFlight over time
	Requests int     // begun so far
}

// Account counts the requests chosen for one revision. All tables and the
// revision's Endpoints share it.
type Account struct {
	Namespace string
	Revision  string

	turn atomic.Uint64 // among the Pods
	held atomic.Int64

	mu       sync.Mutex // guards what follows, which must agree
	origin   time.Time  // what moments are counted from
	read     int64      // the latest moment that Load was asked about
	inFlight int64
	requests int64
	// spent is the sum of all ends less that of all beginnings. With the
	// requests in flight taken to end now it is the integral, whatever the
	// order in which beginnings and ends are recorded.
	spent int64
}

// Begin counts a request that was chosen for the revision.
func (a *Account) Begin(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.requests == 0 {
		a.origin = now
	}
	a.requests++
	a.inFlight++
	a.spent -= a.moment(now)
}

// End undoes Begin. Sums that Load has returned never shrink.
func (a *Account) End(now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.inFlight--
	a.spent += max(a.moment(now), a.read)
}

// Load returns what was counted until now.
func (a *Account) Load(now time.Time) Load {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := Load{InFlight: int(a.inFlight), Requests: int(a.requests)}
	if a.requests > 0 {
		a.read = max(a.read, a.moment(now))
		l.Seconds = float64(a.spent+a.inFlight*a.read) / 1e6
	}
	return l
}

// Hold adds to the number of requests that wait for a Pod.
func (a *Account) Hold(more int) { a.held.Add(int64(more)) }

// Held returns how many requests wait for a Pod. Others get in line behind them.
func (a *Account) Held() int { return int(a.held.Load()) }

// moment is a time in microseconds: nanoseconds of many requests would
// overflow within a router's life.
func (a *Account) moment(t time.Time) int64 { return t.Sub(a.origin).Microseconds() }

// busy reports whether any request is in flight.
func (a *Account) busy() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.inFlight > 0
}

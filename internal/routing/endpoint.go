// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"slices"
	"sync/atomic"
	"time"
)

// waitingPerSlot is how many requests that waited are dispatched per concurrency
// slot of a Pod: one running and one waiting, so that a slot is never idle while
// its completion travels back. The others stay in the router, in order. A Pod's
// queue is bounded and could not take the requests of several routers, and a
// request at one Pod cannot move to another that starts later.
const waitingPerSlot = 2

// Revision is a revision in a Table, with its ready Pods.
type Revision struct {
	Namespace string
	Name      string
	Account   *Account // carried from table to table
	service   *Service // whose traffic names it, if any
	endpoints []*Endpoint
}

// Endpoint is a ready Pod. The same Endpoint stays for as long as its Pod is
// ready, whatever tables come and go.
type Endpoint struct {
	Account *Account // of its revision
	Addr    string

	room     int64 // how many requests that waited it gets at once; zero: any number
	inFlight atomic.Int64
	avoid    atomic.Pointer[time.Time] // until then, by the monotonic clock
}

// endpoint returns the Endpoint of a Pod, the one that old has if any.
func endpoint(p Pod, account *Account, old *Revision) *Endpoint {
	if old != nil {
		for _, e := range old.endpoints {
			if e.Addr == p.Addr {
				return e
			}
		}
	}
	return &Endpoint{Account: account, Addr: p.Addr, room: waitingPerSlot * int64(min(max(p.Concurrency, 0), maxConcurrency))}
}

// has reports whether the revision's Pods are these.
func (r *Revision) has(pods []Pod) bool {
	return len(pods) == len(r.endpoints) && !slices.ContainsFunc(pods, func(p Pod) bool {
		return !slices.ContainsFunc(r.endpoints, func(e *Endpoint) bool { return e.Addr == p.Addr })
	})
}

// Ready returns how many Pods the revision has.
func (r *Revision) Ready() int { return len(r.endpoints) }

// Endpoint returns the Pod with the fewest requests in flight, in turn among
// equals, or nil if there is none. Pods to be avoided now are taken only when
// nothing else is left. The caller calls Begin.
func (r *Revision) Endpoint(now time.Time) *Endpoint {
	n := len(r.endpoints)
	if n == 1 {
		return r.endpoints[0]
	}
	var best *Endpoint
	var bestLoad int64
	bestAvoided := false
	first := int(r.Account.turn.Add(1) % uint64(max(n, 1)))
	for i := range n {
		e := r.endpoints[(first+i)%n]
		avoided, load := e.Avoided(now), e.inFlight.Load()
		better := load < bestLoad
		if avoided != bestAvoided {
			better = bestAvoided
		}
		if best == nil || better {
			best, bestLoad, bestAvoided = e, load, avoided
		}
	}
	return best
}

// Room returns the Pod that gets the next request of those that wait, or nil
// if they must wait on: none is ready, or those that are have enough to do, or
// took no connection.
func (r *Revision) Room(now time.Time) *Endpoint {
	e := r.Endpoint(now)
	if e == nil || e.Avoided(now) || (e.room > 0 && e.InFlight() >= e.room) {
		return nil
	}
	return e
}

// Begin counts a request as in flight at the Pod.
func (e *Endpoint) Begin() { e.inFlight.Add(1) }

// End undoes Begin.
func (e *Endpoint) End() { e.inFlight.Add(-1) }

// InFlight returns how many requests this router has at the Pod.
func (e *Endpoint) InFlight() int64 { return e.inFlight.Load() }

// Avoid prefers other Pods until then, because this one did not answer.
func (e *Endpoint) Avoid(until time.Time) { e.avoid.Store(&until) }

// Avoided reports whether Avoid asked for other Pods until after now.
func (e *Endpoint) Avoided(now time.Time) bool {
	until := e.avoid.Load()
	return until != nil && now.Before(*until)
}

// InFlight returns how many requests this router has at the revision's Pods.
func (r *Revision) InFlight() int64 {
	var n int64
	for _, e := range r.endpoints {
		n += e.InFlight()
	}
	return n
}

// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"slices"
	"sync/atomic"
	"time"
)

// dispatchedPerSlot is how many requests are dispatched per concurrency slot: one
// running and one waiting, so that a slot is never idle while its completion travels
// back. The other requests wait in the router, in order: a Pod's queue is too small
// for those of several routers, and a request at one Pod cannot go to another that
// starts later.
const dispatchedPerSlot = 2

// Revision is a revision in a Table, with its ready Pods.
type Revision struct {
	Namespace string
	Name      string
	Stats     *RevisionStats // carried from table to table
	services  []string       // whose traffic names it, in alphabetical order
	pods      []*Endpoint    // all that are ready
	endpoints []*Endpoint    // those of pods that serve the revision's model
	model     Model
}

// Endpoint is a ready Pod. All tables share the Endpoint while its Pod is ready.
type Endpoint struct {
	Stats *RevisionStats // of its revision
	Addr  string

	model    Model // that the Pod serves
	capacity int64 // of requests that are dispatched to it at once; zero: any number
	inFlight atomic.Int64
	avoid    atomic.Pointer[time.Time] // the end of avoiding it, by the monotonic clock
}

// endpoints returns the Endpoints of a revision's Pods, those of old that it has.
func endpoints(pods []Pod, old *Revision) []*Endpoint {
	out := make([]*Endpoint, len(pods))
	for i, p := range pods {
		out[i] = endpoint(p, old)
	}
	return out
}

func endpoint(p Pod, old *Revision) *Endpoint {
	for _, e := range old.pods {
		if e.is(p) {
			return e
		}
	}
	return &Endpoint{Stats: old.Stats, Addr: p.Addr, model: p.Model, capacity: dispatchedPerSlot * int64(min(max(p.Concurrency, 0), maxConcurrency))}
}

func (e *Endpoint) is(p Pod) bool { return e.Addr == p.Addr && e.model == p.Model }

// has reports whether pods are the revision's Pods.
func (r *Revision) has(pods []Pod) bool {
	return len(pods) == len(r.pods) && !slices.ContainsFunc(pods, func(p Pod) bool {
		return !slices.ContainsFunc(r.pods, func(e *Endpoint) bool { return e.is(p) })
	})
}

// Ready returns how many ready Pods the revision has, without those of another model.
func (r *Revision) Ready() int { return len(r.endpoints) }

// Endpoint returns the Pod with the fewest requests in flight, or nil if there is
// none. Among equals it returns each in turn. It returns a Pod to avoid only if there
// is no other. The caller calls Begin.
func (r *Revision) Endpoint(now time.Time) *Endpoint {
	n := len(r.endpoints)
	if n == 1 {
		return r.endpoints[0]
	}
	var best *Endpoint
	var bestLoad int64
	bestAvoided := false
	first := int(r.Stats.turn.Add(1) % uint64(max(n, 1)))
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

// EndpointWithCapacity returns the Pod for the next waiting request, or nil if no
// ready Pod has capacity and accepts connections. The caller calls Begin.
func (r *Revision) EndpointWithCapacity(now time.Time) *Endpoint {
	e := r.Endpoint(now)
	if e == nil || e.Avoided(now) || (e.capacity > 0 && e.InFlight() >= e.capacity) {
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

// Avoid makes Endpoint prefer other Pods until the given time.
func (e *Endpoint) Avoid(until time.Time) { e.avoid.Store(&until) }

// Avoided reports whether other Pods are preferred now.
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

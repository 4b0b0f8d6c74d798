// SPDX-License-Identifier: Apache-2.0

package router

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/serin-dev/serin/internal/dataplane/routing"
)

const (
	// maxWait bounds how long a request waits for a Pod.
	maxWait = 30 * time.Second
	// queueCapacity bounds how many requests wait, and queueReserve is the part of
	// it that only evicting requests may use. See occupancy.go.
	queueCapacity = 1000
	queueReserve  = queueCapacity / 10
	// retryEvery is how often a waiting request retries Pods that took no
	// connection. Every other change dispatches it at once.
	retryEvery = avoidFor / 10
)

// waitQueue holds the requests that wait for a Pod, by revision and in the order
// of their arrival. It dispatches them when a new table has a ready Pod for them,
// and when a request ends at a Pod without capacity.
//
//	enqueue --> queue of the revision --a ready Pod has capacity--> dispatched
//	                |        ^                                          ^
//	                |        +--the traffic moved: enqueued again--the service has no traffic: refused
//	                +--refused: the client left, the wait took too long, or it was evicted
type waitQueue struct {
	mu        sync.Mutex // also held while the router's view is replaced
	waiters   map[*routing.RevisionStats][]*waiter
	early     []*waiter // requests for services without traffic, in order
	occupancy occupancy // of all waiters
}

// waiter is a request that waits. The waitQueue owns it until released is closed.
type waiter struct {
	request  routing.Request
	start    time.Time
	choice   routing.Choice
	owner    owner             // as counted in the occupancy
	endpoint *routing.Endpoint // where the request has begun; nil: err is set
	err      error
	released chan struct{}
}

func newWaiter(request routing.Request, start time.Time, choice routing.Choice) *waiter {
	return &waiter{request: request, start: start, choice: choice, released: make(chan struct{})}
}

// release ends the wait.
func (w *waiter) release(e *routing.Endpoint, err error) {
	w.endpoint, w.err = e, err
	close(w.released)
}

// waiting returns how many requests wait.
func (q *waitQueue) waiting() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.occupancy.n
}

// replace makes next the router's view, and dispatches the requests that it has a
// Pod for.
func (r *router) replace(next *view) {
	q := &r.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	r.view.Store(next)
	var moved []*waiter
	for stats, waiters := range q.waiters {
		stay := waiters[:0:0]
		for _, w := range waiters {
			if choice, ok := next.table.Rebind(w.choice); ok && choice.Revision.Stats == stats {
				w.choice = choice
				stay = append(stay, w)
			} else {
				q.occupancy.remove(w.owner)
				moved = append(moved, w)
			}
		}
		q.set(stats, stay)
	}
	slices.SortFunc(moved, func(a, b *waiter) int { return a.start.Compare(b.start) })
	now := time.Now()
	for _, w := range moved {
		r.enqueueLocked(next, w, now)
	}
	for stats := range q.waiters {
		q.dispatch(stats, now)
	}
}

// enqueue adds a waiter. It may release the waiter at once: its Pod may have become
// ready meanwhile, or the queue may be full.
func (r *router) enqueue(w *waiter) {
	q := &r.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	now := time.Now()
	r.enqueueLocked(r.view.Load(), w, now)
	q.dispatch(w.choice.Revision.Stats, now)
	select {
	case <-w.released:
	default:
		r.evict(w.owner)
	}
}

// enqueueLocked adds a waiter to the queue of its revision, or of another one if
// that has no traffic any more.
func (r *router) enqueueLocked(v *view, w *waiter, now time.Time) {
	choice, ok := v.table.Rebind(w.choice)
	if !ok {
		var err error
		if choice, err = v.table.Route(w.request); err != nil {
			w.release(nil, refusal(err))
			return
		}
	}
	if from, to := w.choice.Revision.Stats, choice.Revision.Stats; from != to {
		from.End(now)
		to.Begin(now)
	}
	w.choice = choice
	stats := choice.Revision.Stats
	r.queue.set(stats, r.queue.insert(r.queue.waiters[stats], w))
	if choice.Revision.Ready() == 0 {
		r.loads.wake() // so that the autoscaler starts a Pod
	}
}

// enqueueEarly adds a waiter for a service without traffic. The caller dequeues it.
func (r *router) enqueueEarly(w *waiter) {
	r.queue.mu.Lock()
	defer r.queue.mu.Unlock()
	r.queue.early = r.queue.insert(r.queue.early, w)
	r.evict(w.owner)
}

// dequeue removes a waiter, if it still waits.
func (r *router) dequeue(w *waiter) {
	r.queue.mu.Lock()
	defer r.queue.mu.Unlock()
	r.queue.remove(w)
}

// evict refuses a waiter if the queue is too full after one of o was added.
func (r *router) evict(o owner) {
	q := &r.queue
	victim, must := q.occupancy.victim(o)
	if !must {
		return
	}
	w := q.newest(victim)
	own, all := q.occupancy.namespaces[victim.namespace], q.occupancy.n
	text := fmt.Sprintf("too many requests wait already: %d for InferenceService %s/%s, %d in its namespace, %d in all",
		own.services[victim.service], victim.namespace, victim.service, own.n, all)
	q.remove(w)
	w.release(nil, unavailable(text))
	r.metrics.refuseWaiter(victim.namespace)
}

// retry dispatches the waiters of w's revision, if a Pod has capacity.
func (r *router) retry(w *waiter) {
	r.queue.mu.Lock()
	defer r.queue.mu.Unlock()
	r.queue.dispatch(w.choice.Revision.Stats, time.Now())
}

// ended dispatches waiters of a revision after one of its requests ended.
func (r *router) ended(stats *routing.RevisionStats, now time.Time) {
	if stats.Waiting() == 0 {
		return
	}
	r.queue.mu.Lock()
	defer r.queue.mu.Unlock()
	r.queue.dispatch(stats, now)
}

// timeOut refuses a waiter after its time, unless it was released meanwhile.
func (r *router) timeOut(w *waiter, after time.Duration) {
	r.queue.mu.Lock()
	defer r.queue.mu.Unlock()
	if !r.queue.remove(w) {
		return
	}
	revision := w.choice.Revision
	why := "has no ready Pod, and none became ready within"
	if revision.Ready() > 0 {
		why = "had no room for this request within"
	}
	w.release(nil, unavailable(fmt.Sprintf("revision %s/%s %s %v", revision.Namespace, revision.Name, why, after)))
}

// The methods below need the lock.

// set replaces the waiters of a revision.
func (q *waitQueue) set(stats *routing.RevisionStats, waiters []*waiter) {
	stats.AddWaiting(len(waiters) - len(q.waiters[stats]))
	if len(waiters) == 0 {
		delete(q.waiters, stats)
		return
	}
	if q.waiters == nil {
		q.waiters = map[*routing.RevisionStats][]*waiter{}
	}
	q.waiters[stats] = waiters
}

// insert inserts a waiter by the time of its arrival, and returns the result.
func (q *waitQueue) insert(waiters []*waiter, w *waiter) []*waiter {
	w.owner = owner{w.choice.Service.Namespace, w.choice.Service.Name}
	q.occupancy.add(w.owner)
	i := len(waiters)
	for i > 0 && waiters[i-1].start.After(w.start) {
		i--
	}
	return slices.Insert(waiters, i, w)
}

// dispatch releases the waiters of a revision in order, as long as a Pod of it has
// capacity.
func (q *waitQueue) dispatch(stats *routing.RevisionStats, now time.Time) {
	waiters := q.waiters[stats]
	n := 0
	for n < len(waiters) {
		e := waiters[n].choice.Revision.EndpointWithCapacity(now)
		if e == nil {
			break
		}
		e.Begin()
		q.occupancy.remove(waiters[n].owner)
		waiters[n].release(e, nil)
		n++
	}
	if n > 0 {
		q.set(stats, waiters[n:])
	}
}

// newest returns the waiter of a service that arrived last.
func (q *waitQueue) newest(of owner) *waiter {
	var last *waiter
	search := func(waiters []*waiter) {
		for _, w := range slices.Backward(waiters) {
			if w.owner == of {
				if last == nil || w.start.After(last.start) {
					last = w
				}
				return
			}
		}
	}
	search(q.early)
	for _, waiters := range q.waiters {
		search(waiters)
	}
	return last
}

// remove removes a waiter, and reports whether it was in the queue.
func (q *waitQueue) remove(w *waiter) bool {
	waiters := q.early
	if w.choice.Revision != nil {
		waiters = q.waiters[w.choice.Revision.Stats]
	}
	i := slices.Index(waiters, w)
	if i < 0 {
		return false
	}
	rest := slices.Concat(waiters[:i], waiters[i+1:])
	if w.choice.Revision != nil {
		q.set(w.choice.Revision.Stats, rest)
	} else {
		q.early = rest
	}
	q.occupancy.remove(w.owner)
	return true
}

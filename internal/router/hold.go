// SPDX-License-Identifier: Apache-2.0

package router

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/serin-dev/serin/internal/routing"
)

const (
	// holdFor bounds how long a request waits for a ready Pod.
	holdFor = 30 * time.Second
	// maxHeld is how many places there are to wait in, and reserved how many of
	// them nobody gets who has as many as everybody else. See room.go.
	maxHeld  = 1000
	reserved = maxHeld / 10
	// lookEvery is how often a request that waits looks whether a Pod that
	// took no connection may be tried again. All else is told to it.
	lookEvery = avoidFor / 10
)

// line is where requests wait, by revision, in the order in which they came.
// Whoever changes what they wait for lets them go: the goroutine that swaps the
// table, and every request that ends at a Pod that had no more room.
//
//	join --> queue of the revision --room at a ready Pod--> released
//	              |        ^                                   ^
//	              |        +--the traffic moved on: placed anew+--nobody answers any more
//	              +--left: the client did, it took too long, or there are too many
type line struct {
	mu     sync.Mutex // held while the router's view is replaced, too
	queues map[*routing.Account][]*held
	early  []*held // those whose service has no traffic yet, as they came
	room   room    // counts all of them
}

// held is a request that waits. The line owns it until released is closed.
type held struct {
	request  routing.Request
	start    time.Time
	choice   routing.Choice
	owner    owner             // as the room counts it
	endpoint *routing.Endpoint // begun; nil if err is set
	err      error
	released chan struct{}
}

func newHeld(request routing.Request, start time.Time, choice routing.Choice) *held {
	return &held{request: request, start: start, choice: choice, released: make(chan struct{})}
}

// release ends the wait.
func (h *held) release(e *routing.Endpoint, err error) {
	h.endpoint, h.err = e, err
	close(h.released)
}

// waiting returns how many requests wait.
func (l *line) waiting() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.room.n
}

// replace makes next the router's view and lets go who need not wait any more.
func (r *router) replace(next *view) {
	l := &r.line
	l.mu.Lock()
	defer l.mu.Unlock()
	r.view.Store(next)
	var moving []*held
	for account, queue := range l.queues {
		stay := queue[:0:0]
		for _, h := range queue {
			if choice, ok := next.table.Again(h.choice); ok && choice.Revision.Account == account {
				h.choice = choice
				stay = append(stay, h)
			} else {
				l.room.remove(h.owner)
				moving = append(moving, h)
			}
		}
		l.set(account, stay)
	}
	slices.SortFunc(moving, func(a, b *held) int { return a.start.Compare(b.start) })
	now := time.Now()
	for _, h := range moving {
		r.place(next, h, now)
	}
	for account := range l.queues {
		l.advance(account, now)
	}
}

// set replaces the queue of a revision.
func (l *line) set(account *routing.Account, queue []*held) {
	account.Hold(len(queue) - len(l.queues[account]))
	if len(queue) == 0 {
		delete(l.queues, account)
		return
	}
	if l.queues == nil {
		l.queues = map[*routing.Account][]*held{}
	}
	l.queues[account] = queue
}

// place puts a request into the queue of its revision, or of another if that
// has no traffic any more.
func (r *router) place(v *view, h *held, now time.Time) {
	choice, ok := v.table.Again(h.choice)
	if !ok {
		var err error
		if choice, err = v.table.Route(h.request); err != nil {
			h.release(nil, refusal(err))
			return
		}
	}
	if from, to := h.choice.Revision.Account, choice.Revision.Account; from != to {
		from.End(now)
		to.Begin(now)
	}
	h.choice = choice
	account := choice.Revision.Account
	r.line.set(account, r.line.enter(r.line.queues[account], h))
	if choice.Revision.Ready() == 0 {
		r.loads.wake() // for whoever can start one
	}
}

// enter gives a request a place, and returns the queue with it.
func (l *line) enter(queue []*held, h *held) []*held {
	h.owner = owner{h.choice.Service.Namespace, h.choice.Service.Name}
	l.room.add(h.owner)
	i := len(queue)
	for i > 0 && queue[i-1].start.After(h.start) {
		i--
	}
	return slices.Insert(queue, i, h)
}

// advance releases those who wait for a revision, in order, as far as its Pods
// have room.
func (l *line) advance(account *routing.Account, now time.Time) {
	queue := l.queues[account]
	n := 0
	for n < len(queue) {
		e := queue[n].choice.Revision.Room(now)
		if e == nil {
			break
		}
		e.Begin()
		l.room.remove(queue[n].owner)
		queue[n].release(e, nil)
		n++
	}
	if n > 0 {
		l.set(account, queue[n:])
	}
}

// join puts a request into the line. It may be released at once: its Pod may
// have become ready since it looked, or there is no place for it.
func (r *router) join(h *held) {
	l := &r.line
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	r.place(r.view.Load(), h, now)
	l.advance(h.choice.Revision.Account, now)
	select {
	case <-h.released:
	default:
		r.makeRoom(h.owner)
	}
}

// expect lets a request wait for its service's first traffic. Whoever calls it
// calls forget.
func (r *router) expect(h *held) {
	r.line.mu.Lock()
	defer r.line.mu.Unlock()
	r.line.early = r.line.enter(r.line.early, h)
	r.makeRoom(h.owner)
}

func (r *router) forget(h *held) {
	r.line.mu.Lock()
	defer r.line.mu.Unlock()
	r.line.drop(h)
}

// makeRoom refuses a request if there are too many now that one of o came.
func (r *router) makeRoom(o owner) {
	l := &r.line
	who, must := l.room.yields(o)
	if !must {
		return
	}
	h := l.newest(who)
	own, all := l.room.namespaces[who.namespace], l.room.n
	text := fmt.Sprintf("too many requests wait already: %d for InferenceService %s/%s, %d in its namespace, %d in all",
		own.services[who.service], who.namespace, who.service, own.n, all)
	l.drop(h)
	h.release(nil, unavailable(text))
	r.metrics.turnAway(who.namespace)
}

// newest returns the last that came for a service.
func (l *line) newest(of owner) *held {
	var last *held
	look := func(queue []*held) {
		for _, h := range slices.Backward(queue) {
			if h.owner == of {
				if last == nil || h.start.After(last.start) {
					last = h
				}
				return
			}
		}
	}
	look(l.early)
	for _, queue := range l.queues {
		look(queue)
	}
	return last
}

// look releases those who wait for the same revision, if a Pod has room.
func (r *router) look(h *held) {
	r.line.mu.Lock()
	defer r.line.mu.Unlock()
	r.line.advance(h.choice.Revision.Account, time.Now())
}

// ended tells the line that a request of a revision ended.
func (r *router) ended(account *routing.Account, now time.Time) {
	if account.Held() == 0 {
		return
	}
	r.line.mu.Lock()
	defer r.line.mu.Unlock()
	r.line.advance(account, now)
}

// giveUp takes a request out of the line, unless it was released meanwhile.
func (r *router) giveUp(h *held, after time.Duration) {
	r.line.mu.Lock()
	defer r.line.mu.Unlock()
	if h.choice.Revision.Ready() > 0 {
		r.line.leave(h, "had no room for this request within %v", after)
		return
	}
	r.line.leave(h, "has no ready Pod, and none became ready within %v", after)
}

// leave releases a request with an error if it is in the line.
func (l *line) leave(h *held, format string, args ...any) {
	if l.drop(h) {
		revision := h.choice.Revision
		h.release(nil, unavailable(fmt.Sprintf("revision %s/%s ", revision.Namespace, revision.Name)+fmt.Sprintf(format, args...)))
	}
}

// drop takes a request's place away, and reports whether it had one.
func (l *line) drop(h *held) bool {
	if h.choice.Revision == nil {
		i := slices.Index(l.early, h)
		if i >= 0 {
			l.early = slices.Delete(l.early, i, i+1)
			l.room.remove(h.owner)
		}
		return i >= 0
	}
	account := h.choice.Revision.Account
	queue := l.queues[account]
	i := slices.Index(queue, h)
	if i < 0 {
		return false
	}
	l.set(account, slices.Concat(queue[:i], queue[i+1:]))
	l.room.remove(h.owner)
	return true
}

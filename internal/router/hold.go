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
	// maxHeld is how many places there are to wait in. A revision may take as
	// many as it leaves free, so that there is always one for another.
	maxHeld = 1000
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
//	              +--left: the client did, or it took too long
type line struct {
	mu     sync.Mutex // held while the router's view is replaced, too
	queues map[*routing.Account][]*held
	n      int // in all queues
}

// held is a request that waits. The line owns it until released is closed.
type held struct {
	request  routing.Request
	start    time.Time
	choice   routing.Choice
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
	return l.n
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
	more := len(queue) - len(l.queues[account])
	l.n += more
	account.Hold(more)
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
	queue := r.line.queues[account]
	i := len(queue)
	for i > 0 && queue[i-1].start.After(h.start) {
		i--
	}
	r.line.set(account, slices.Insert(queue, i, h))
	if choice.Revision.Ready() == 0 {
		r.loads.wake() // for whoever can start one
	}
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
		queue[n].release(e, nil)
		n++
	}
	if n > 0 {
		l.set(account, queue[n:])
	}
}

// join puts a request into the line, if there is a place. It may be released
// at once: its Pod may have become ready since it looked.
func (r *router) join(h *held) {
	l := &r.line
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	r.place(r.view.Load(), h, now)
	account := h.choice.Revision.Account
	l.advance(account, now)
	if own := len(l.queues[account]); own > maxHeld-l.n+1 { // both count this one
		l.leave(h, "has no ready Pod, and too many requests wait already: %d for it, %d in all", own-1, l.n-1)
	}
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
	revision := h.choice.Revision
	queue := l.queues[revision.Account]
	i := slices.Index(queue, h)
	if i < 0 {
		return
	}
	l.set(revision.Account, slices.Concat(queue[:i], queue[i+1:]))
	h.release(nil, unavailable(fmt.Sprintf("revision %s/%s ", revision.Namespace, revision.Name)+fmt.Sprintf(format, args...)))
}

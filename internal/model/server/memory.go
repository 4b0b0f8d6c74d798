// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"math"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

const (
	// smallRequest is what a request takes at most that passes those that wait, in bytes.
	smallRequest = 1 << 20
	// maxWait is how long a request waits for memory that others have.
	maxWait = 30 * time.Second
	// tidyAfter is how long after a large request memory goes back to the system, unless
	// there is another one.
	tidyAfter = time.Second
)

// refusal is an error with an HTTP status of its own, such as 413.
type refusal struct {
	status  int
	message string
}

func (r *refusal) Error() string { return r.message }

func refusalf(status int, format string, args ...any) error {
	return &refusal{status, fmt.Sprintf(format, args...)}
}

// memory is what all requests together may take, in bytes. A large request reserves
// what it will probably take, and waits for others before it is read. What it takes
// beyond that it gets at once or never, so that no two requests wait for each other.
// An eighth of the memory is for small requests, which therefore never wait for a large one.
type memory struct {
	whole int64
	raise string // the setting that makes whole larger
	free  func() // gives unused memory back to the system

	mu    sync.Mutex
	used  int64
	queue []*waiter
	tidy  *time.Timer
}

type waiter struct {
	n     int64
	ready chan struct{} // closed once it has n
}

// memoryFor returns the memory for requests of up to most bytes. It follows from what
// GOMEMLIMIT leaves beside the model, or else from most.
func memoryFor(most int64) *memory {
	const least = 16 << 20
	m := &memory{whole: 4 * most, raise: "--max_request_bytes", free: tidy}
	if limit := debug.SetMemoryLimit(-1); limit < math.MaxInt64 {
		var now runtime.MemStats
		runtime.ReadMemStats(&now)
		m.whole = (limit - int64(now.Sys-now.HeapReleased)) / 4 * 3 // garbage takes some, too
		m.raise = "limits.memory of the model server's container"
	}
	m.whole = max(m.whole, least)
	return m
}

// tidy gives unused memory back to the system. A sync.Pool keeps what it has for one
// collection.
func tidy() {
	runtime.GC()
	debug.FreeOSMemory()
}

// limit returns how much of the memory a request of n bytes may see used.
func (m *memory) limit(n int64) int64 {
	if n > smallRequest {
		return m.whole - m.whole/8
	}
	return m.whole
}

func (m *memory) tooLarge() error {
	return refusalf(http.StatusRequestEntityTooLarge, "The request needs more memory than the %d bytes that one may take: send fewer rows at once, or raise %s.", m.limit(m.whole), m.raise)
}

func (m *memory) busy() error {
	return refusalf(http.StatusServiceUnavailable, "Other requests have the memory that this one needs: try again later, send fewer rows at once, or raise %s.", m.raise)
}

// share is what one request has of a memory.
type share struct {
	*memory
	held int64
	most int64 // that it has held
}

// reserve takes about n bytes, for which it waits if others have them.
func (s *share) reserve(n int64) error {
	m := s.memory
	n = min(n, m.limit(n))
	m.mu.Lock()
	if (n <= smallRequest || len(m.queue) == 0) && m.used+n <= m.limit(n) {
		s.add(n)
		m.mu.Unlock()
		return nil
	}
	w := &waiter{n, make(chan struct{})}
	m.queue = append(m.queue, w)
	m.mu.Unlock()
	late := time.NewTimer(maxWait)
	defer late.Stop()
	select {
	case <-w.ready:
	case <-late.C:
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if i := slices.Index(m.queue, w); i >= 0 {
		m.queue = slices.Delete(m.queue, i, i+1)
		m.wake() // those behind it
		return m.busy()
	}
	s.held += n
	s.most = max(s.most, s.held)
	return nil
}

// hold makes n bytes of what the request has. It does not wait.
func (s *share) hold(n int64) error {
	m := s.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	switch more := n - s.held; {
	case more > 0 && n > m.limit(n):
		return m.tooLarge()
	case more > 0 && m.used+more > m.limit(n):
		return m.busy()
	default:
		s.add(more)
		if more < 0 {
			m.wake()
		}
	}
	return nil
}

// atLeast is hold for a request that may have reserved more.
func (s *share) atLeast(n int64) error {
	if s.memory == nil || n <= s.held {
		return nil
	}
	return s.hold(n)
}

// add is called with the lock.
func (s *share) add(n int64) {
	s.used += n
	s.held += n
	s.most = max(s.most, s.held)
}

// split moves n bytes to a share of their own.
func (s *share) split(n int64) *share {
	n = min(n, s.held)
	s.held -= n
	return &share{s.memory, n, s.most}
}

// release returns everything.
func (s *share) release() {
	m := s.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	large := s.most > smallRequest
	s.add(-s.held)
	s.most = 0
	m.wake()
	switch {
	case !large:
	case m.tidy == nil:
		m.tidy = time.AfterFunc(tidyAfter, m.free)
	default:
		m.tidy.Reset(tidyAfter)
	}
}

// wake gives those that wait what they wait for, if it is there. It is called with the
// lock.
func (m *memory) wake() {
	blocked := false // a large one waits
	m.queue = slices.DeleteFunc(m.queue, func(w *waiter) bool {
		if w.n > smallRequest && blocked || m.used+w.n > m.limit(w.n) {
			blocked = blocked || w.n > smallRequest
			return false
		}
		m.used += w.n
		close(w.ready)
		return true
	})
}

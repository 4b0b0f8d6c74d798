// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// stream is what upload and stallWriter are for HTTP/1: it reads the body of an
// HTTP/2 request first, if it can, and then watches both directions. net/http
// reads and writes frames, so what counts here are bytes of bodies: empty
// frames, padding and pings are none.
type stream struct {
	limits *Limits
	w      http.ResponseWriter
	end    context.CancelCauseFunc // of the request, with the answer or the reason

	mu       sync.Mutex
	over     bool
	timer    *time.Timer
	grpc     bool // a call may be silent between messages
	frames   grpcFrames
	answered bool
	placed   bool
	reading  waiting // for the client's body
	writing  waiting // for the client to read
	active   time.Time
}

// waiting is somebody who waits for the client, on a budget.
type waiting struct {
	pace
	since time.Time // zero: nobody does
}

func (w *waiting) begin(now time.Time) { w.since = now }

func (w *waiting) stop(now time.Time, n int) {
	w.spend(now.Sub(w.since))
	w.earn(int64(n))
	w.since = time.Time{}
}

// late reports whether the budget is spent. There is always time to find what
// is there already.
func (w *waiting) late(now time.Time) bool {
	return !w.since.IsZero() && w.grace > 0 && max(w.left, 10*time.Millisecond) <= now.Sub(w.since)
}

func newStream(l *Limits, w http.ResponseWriter, end context.CancelCauseFunc) *stream {
	return &stream{
		limits: l, w: w, end: end, active: time.Now(),
		reading: waiting{pace: newPace(l.RequestRate, l.grace(false))},
		writing: waiting{pace: newPace(l.ResponseRate, l.Send)},
	}
}

// watch looks at the stream from time to time until it is closed.
func (s *stream) watch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	every := time.Second
	for _, d := range [...]time.Duration{s.limits.ClientBody, s.limits.RateGrace, s.limits.Send, s.limits.StreamIdle} {
		if d > 0 {
			every = min(every, max(d/4, time.Millisecond))
		}
	}
	s.timer = time.AfterFunc(every, func() {
		if s.look(time.Now()) {
			s.timer.Reset(every)
		}
	})
}

// look ends the stream if it is too slow, and reports whether to look again.
func (s *stream) look(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	idle := s.limits.StreamIdle
	switch {
	case s.over:
		return false
	case s.writing.late(now):
		s.end(errUnread)
		// The handler may be blocked in a write: that resets the stream.
		_ = http.NewResponseController(s.w).SetWriteDeadline(longAgo)
	case !s.silent() && s.reading.late(now):
		s.end(badBody(errSlow, s.limits.RequestRate, s.reading.grace))
	case s.answered && idle > 0 && now.Sub(s.active) >= idle:
		s.end(errIdle(idle))
	default:
		return true
	}
	s.over = true
	return false
}

// close ends the watch. The ResponseWriter is not touched after it.
func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	if s.timer != nil {
		s.timer.Stop()
	}
}

// place gives a request that waited for its turn another budget: it has a
// target now.
func (s *stream) place(waited time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.placed, s.active = true, now
	s.budget()
	s.reading.spend(waited) // what came meanwhile earns that back
	if !s.reading.since.IsZero() {
		s.reading.since = now
	}
}

// budget gives the client what it has for its body. The first message of a
// gRPC call may be a while in coming.
func (s *stream) budget() {
	placed := s.placed && (!s.grpc || s.frames.begun)
	s.reading.pace = newPace(s.limits.RequestRate, s.limits.grace(placed))
}

// noGRPC says that the target does not speak it, whatever the client says.
func (s *stream) noGRPC() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.grpc {
		s.grpc = false
		s.budget()
	}
}

func (s *stream) answer() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answered, s.active = true, time.Now()
}

func (s *stream) touch() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = time.Now()
}

// read is a Read of the request's body.
func (s *stream) read(body io.Reader, b []byte) (int, error) {
	s.mu.Lock()
	s.reading.begin(time.Now())
	s.mu.Unlock()
	n, err := body.Read(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.silent() {
		s.reading.left = s.reading.grace
		s.reading.since = now
	}
	s.reading.stop(now, n)
	first := !s.frames.begun
	s.frames.add(b[:n])
	if n > 0 {
		s.active = now
		if first && s.grpc {
			s.budget()
		}
	}
	return n, err
}

// silent reports whether the client need not send anything now.
func (s *stream) silent() bool { return s.answered || s.grpc && s.frames.seen && !s.frames.partial() }

// write writes of the response, or flushes.
func (s *stream) write(b []byte, do func([]byte) (int, error)) (int, error) {
	s.mu.Lock()
	s.writing.begin(time.Now())
	s.mu.Unlock()
	n, err := do(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.writing.stop(now, n)
	if n > 0 {
		s.active = now
	}
	return n, err
}

// grpcFrames is where a gRPC call is: in a message, which tells its length first,
// or between two.
type grpcFrames struct {
	head [5]byte
	have int   // of head
	left int64 // of the message

	begun bool // the first
	seen  bool // all of one
}

func (m *grpcFrames) add(b []byte) {
	m.begun = m.begun || len(b) > 0
	for len(b) > 0 {
		if m.have < len(m.head) {
			n := copy(m.head[m.have:], b)
			m.have += n
			b = b[n:]
			if m.have < len(m.head) {
				return
			}
			m.left = int64(m.head[1])<<24 | int64(m.head[2])<<16 | int64(m.head[3])<<8 | int64(m.head[4])
		}
		n := min(m.left, int64(len(b)))
		m.left -= n
		b = b[n:]
		if m.left == 0 {
			m.have, m.seen = 0, true
		}
	}
}

func (m *grpcFrames) partial() bool { return m.have > 0 }

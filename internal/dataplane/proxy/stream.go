// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"
)

// stream enforces the limits on one HTTP/2 request, as upload and stallWriter do
// for HTTP/1. It counts the bytes of both bodies: net/http reads and writes the
// frames, so empty frames, padding and pings count for nothing.
type stream struct {
	limits *Limits
	w      http.ResponseWriter
	end    context.CancelCauseFunc // ends the request with an answer or a reason

	mu         sync.Mutex
	closed     bool
	timer      *time.Timer
	grpc       bool // the client may be silent between two messages
	frames     grpcFrames
	responding bool
	hasTarget  bool
	reading    timedWait // for the client to send
	writing    timedWait // for the client to read
	active     time.Time // when the last byte arrived, in either direction
}

// timedWait is a wait for the client that spends a pace.
type timedWait struct {
	pace
	since time.Time // zero: nothing waits now
}

func (w *timedWait) begin(now time.Time) { w.since = now }

func (w *timedWait) stop(now time.Time, n int) {
	w.spend(now.Sub(w.since))
	w.earn(int64(n))
	w.since = time.Time{}
}

// late reports whether the pace is spent. A wait always has 10 ms to find input
// that has already arrived.
func (w *timedWait) late(now time.Time) bool {
	return !w.since.IsZero() && w.grace > 0 && max(w.left, 10*time.Millisecond) <= now.Sub(w.since)
}

func newStream(l *Limits, w http.ResponseWriter, end context.CancelCauseFunc) *stream {
	return &stream{
		limits: l, w: w, end: end, active: time.Now(),
		reading: timedWait{pace: newPace(l.RequestRate, l.grace(false))},
		writing: timedWait{pace: newPace(l.ResponseRate, l.Send)},
	}
}

// startChecks checks the stream periodically until it is closed.
func (s *stream) startChecks() {
	s.mu.Lock()
	defer s.mu.Unlock()
	every := time.Second
	for _, d := range [...]time.Duration{s.limits.ClientBody, s.limits.RateGrace, s.limits.Send, s.limits.StreamIdle} {
		if d > 0 {
			every = min(every, max(d/4, time.Millisecond))
		}
	}
	s.timer = time.AfterFunc(every, func() {
		if s.check(time.Now()) {
			s.timer.Reset(every)
		}
	})
}

// check ends the request if its client is too slow or the stream is idle, and
// reports whether to check again.
func (s *stream) check(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	idle := s.limits.StreamIdle
	switch {
	case s.closed:
		return false
	case s.writing.late(now):
		s.end(errUnread)
		// Resets the stream, in case the handler is blocked in a write.
		_ = http.NewResponseController(s.w).SetWriteDeadline(longAgo)
	case !s.silent() && s.reading.late(now):
		s.end(badBody(errSlow, s.limits.RequestRate, s.reading.grace))
	case s.responding && idle > 0 && now.Sub(s.active) >= idle:
		s.end(errIdle(idle))
	default:
		return true
	}
	s.closed = true
	return false
}

// close ends the checks. None uses the ResponseWriter after it.
func (s *stream) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
}

// admitted starts the pace of a request that has a target now, and waited for it
// for the given time.
func (s *stream) admitted(waited time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.hasTarget, s.active = true, now
	s.resetPace()
	s.reading.spend(waited) // the bytes that arrived meanwhile earn it back
	if !s.reading.since.IsZero() {
		s.reading.since = now
	}
}

// resetPace starts a new pace for the request's body. The first message of a gRPC
// call has the longer grace.
func (s *stream) resetPace() {
	hasTarget := s.hasTarget && (!s.grpc || s.frames.begun)
	s.reading.pace = newPace(s.limits.RequestRate, s.limits.grace(hasTarget))
}

// notGRPC ends the exceptions for gRPC, because the target does not speak it.
func (s *stream) notGRPC() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.grpc {
		s.grpc = false
		s.resetPace()
	}
}

func (s *stream) responseBegan() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.responding, s.active = true, time.Now()
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
			s.resetPace()
		}
	}
	return n, err
}

// silent reports whether the client may be silent now.
func (s *stream) silent() bool { return s.responding || s.grpc && s.frames.seen && !s.frames.partial() }

// write times do, which writes b of the response or flushes.
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

// grpcFrames tracks the length-prefixed messages of a gRPC call, to know whether
// the client is within a message or between two.
type grpcFrames struct {
	head [5]byte
	have int   // bytes of head
	left int64 // bytes until the end of the message

	begun bool // a byte of the first message arrived
	seen  bool // the whole first message arrived
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

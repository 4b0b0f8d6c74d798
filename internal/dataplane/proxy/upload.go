// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bufio"
	"errors"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// upload copies a request's body that is large or has not arrived yet, in two
// steps:
//
//	before the request has a target: into memory, until it is complete or fills a buffer
//	then, if it is not complete: to the target, while the response is awaited
//
// So a client that is slow with a small body never occupies a slot of a target. A
// client that is slow with a large body loses its slot: the upload enforces a
// pace until the response begins. The time that the request waited for a slot
// spends the pace, too. From the start of the response both directions are a
// stream that may be silent.
type upload struct {
	bodyCopier
	conn       *conn
	limits     *Limits
	pace       pace
	paced      int64     // how many of the copied bytes have earned
	firstUntil time.Time // the end of the first step for a large body; zero: none

	streaming atomic.Bool  // the response began
	active    atomic.Int64 // when the last byte arrived in either direction, in Unix nanoseconds

	mu      sync.Mutex // guards stopped and the read deadline that goes with it
	stopped bool

	done chan struct{} // nil: not begun
	err  error         // valid once done is closed
}

var (
	errFull        = errors.New("the body does not fit into memory")
	errClientWaits = errors.New("the body may wait for the response")
	errStopped     = errors.New("the upload was stopped")
)

// memory is a writer into the request in memory: its head and the start of its
// body.
type memory struct {
	request *[]byte
	most    int
}

func (m memory) Write(b []byte) (int, error) {
	*m.request = append(*m.request, b...)
	return len(b), nil
}

// Flush implements flusher. The bodyCopier calls it before it waits for input.
func (m memory) Flush() error {
	if len(*m.request) >= m.most {
		return errFull
	}
	return nil
}

// readFirst reads the body into x.request, all of it if it is small.
func (x *exchange) readFirst() *Refusal {
	if x.in.expects && !x.in.http10 && x.br.Buffered() == 0 {
		_, _ = x.bw.WriteString("HTTP/1.1 100 Continue\r\n\r\n") // the response reports an error
		_ = x.bw.Flush()
	}
	limits := &x.server.Limits
	u := &upload{conn: x.conn, limits: limits, pace: newPace(limits.RequestRate, limits.grace(false))}
	u.bodyCopier = bodyCopier{dst: memory{&x.request, len(x.request) + bufferSize}, src: x.br, wait: u.awaitClient}
	u.begin(x.in.length)
	if x.in.length < 0 || x.in.length > bufferSize {
		u.firstUntil = time.Now().Add(limits.firstPartWait())
	}
	err := u.copy()
	x.until = time.Time{} // the upload set other deadlines
	x.r.Start = time.Now()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errFull), errors.Is(err, errClientWaits):
		x.streams, x.upload = true, u
		return nil
	}
	x.streams, x.in.closes = true, true // the rest of the input is unknown
	return badBody(err, limits.RequestRate, limits.grace(false))
}

// badBody is the answer to a body that cannot be read.
func badBody(err error, rate int, grace time.Duration) *Refusal {
	switch {
	case errors.Is(err, errSlow):
		return refusef(http.StatusRequestTimeout, "%v: less than %d bytes a second for %v", err, rate, grace)
	case errors.Is(err, errFraming):
		return refusef(http.StatusBadRequest, "the request's body is not valid: %v", err)
	}
	return refusef(http.StatusBadRequest, "the request's body ended early")
}

// awaitClient waits until n bytes are buffered, and fails when the pace is spent
// before. Bytes that arrived while nothing read them count.
func (u *upload) awaitClient(n int) error {
	u.pace.earn(u.copied - u.paced)
	u.paced = u.copied
	for {
		now := time.Now()
		if err := u.setDeadline(u.deadline(now)); err != nil {
			return err
		}
		_, err := u.src.Peek(n)
		after := time.Now()
		left := u.pace.spend(after.Sub(now))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			u.active.Store(after.UnixNano())
			return err
		}
		if !u.firstUntil.IsZero() && !after.Before(u.firstUntil) {
			return errClientWaits
		}
		if !left && !u.streaming.Load() {
			return errSlow
		}
		if idle := u.limits.StreamIdle; u.streaming.Load() && idle > 0 && after.Sub(u.lastActive()) >= idle {
			return errIdle(idle)
		}
	}
}

// deadline returns when awaitClient must check the client's progress; zero: never.
// A read always has 1 ms to find input that has already arrived.
func (u *upload) deadline(now time.Time) time.Time {
	until := earlier(u.pace.until(now), u.firstUntil)
	if u.streaming.Load() {
		until = after(u.lastActive(), u.limits.StreamIdle)
	}
	if soon := now.Add(time.Millisecond); !until.IsZero() && until.Before(soon) {
		return soon
	}
	return until
}

func (u *upload) lastActive() time.Time { return time.Unix(0, u.active.Load()) }

// setDeadline sets the client's read deadline, unless the upload must stop.
func (u *upload) setDeadline(t time.Time) error {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.stopped {
		return errStopped
	}
	return u.conn.nc.SetReadDeadline(t)
}

// startUpload starts a goroutine that sends the request as far as it is in memory,
// and then the rest of its body as it arrives.
func (x *exchange) startUpload() {
	u := x.upload
	u.dst = bufio.NewWriterSize(x.up, bufferSize)
	u.pace = newPace(u.limits.RequestRate, u.limits.grace(true))
	u.paced = u.copied
	u.firstUntil = time.Time{}
	// The bytes that arrived during the wait for a slot earn its time back, but not
	// more than a minute: the kernel buffers no more bytes, even of a fast client.
	u.pace.spend(min(time.Since(x.r.Start), time.Minute))
	u.done = make(chan struct{})
	up, request := x.up, x.request
	go func() {
		err := u.write(request)
		if err == nil {
			err = u.copy()
		}
		if err == nil {
			err = u.flush()
		}
		u.err = err
		close(u.done)
		if w := (writeError{}); err != nil && !errors.As(err, &w) {
			_ = up.Close() // the client failed: no response is needed
		}
	}()
}

// endUpload waits for the upload, or stops it unless it may complete. It
// reports whether the whole body was sent.
func (x *exchange) endUpload(wait bool) bool {
	u := x.upload
	if !u.begun() {
		return !x.streams
	}
	select {
	case <-u.done:
		return u.err == nil
	default:
	}
	if wait { // the target answered early, and will hardly read the rest
		t := time.NewTimer(10 * time.Millisecond)
		defer t.Stop()
		select {
		case <-u.done:
			return u.err == nil
		case <-t.C:
		}
	}
	_ = x.up.SetWriteDeadline(longAgo) // this and stop wake the upload
	u.stop()
	<-u.done
	x.setReadDeadline(time.Time{})
	return false
}

func (u *upload) stop() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.stopped = true
	_ = u.conn.nc.SetReadDeadline(longAgo) // an error means that the connection is closed
}

// responseBegan turns the upload into a stream that may be silent.
func (u *upload) responseBegan() {
	if u == nil {
		return
	}
	u.active.Store(time.Now().UnixNano())
	u.streaming.Store(true)
}

func (u *upload) begun() bool { return u != nil && u.done != nil }

// running reports whether the upload has begun and not ended.
func (u *upload) running() bool {
	if !u.begun() {
		return false
	}
	select {
	case <-u.done:
		return false
	default:
		return true
	}
}

// clientFailed reports whether the upload ended because of the client.
func (u *upload) clientFailed() bool {
	if !u.begun() || u.running() {
		return false
	}
	w := writeError{}
	return u.err != nil && !errors.As(u.err, &w)
}

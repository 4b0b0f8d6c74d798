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

// upload moves a request's body that is not small or not there yet, in two
// steps:
//
//	first, without a place at a target: into memory, until it is whole or fills a buffer
//	then, if that was not all: to the target, while the response is awaited
//
// So a client that is slow with a small body never keeps others from a place.
// One that is slow with a large one loses it: a pace is enforced until the
// response begins, and also while the request waits for its turn, or those who
// wait with it would be in each other's way. From then on both directions are a
// stream, and may be silent.
type upload struct {
	mover
	conn   *conn
	limits *Limits
	pace   pace
	paced  int64     // of moved, what the pace knows of
	unsure time.Time // first: until when to wait for what the client may not send yet; zero: longer

	streaming atomic.Bool  // the response began
	active    atomic.Int64 // when something moved last, in either direction

	mu      sync.Mutex // guards stopped and the read deadline that goes with it
	stopped bool

	done chan struct{} // nil: not begun
	err  error         // valid after done
}

var (
	errFull    = errors.New("the body does not fit into memory")
	errUnsure  = errors.New("the body may wait for the response")
	errStopped = errors.New("the upload was stopped")
)

// memory is a request in memory: its head and the begin of its body.
type memory struct {
	request *[]byte
	most    int
}

func (m memory) Write(b []byte) (int, error) {
	*m.request = append(*m.request, b...)
	return len(b), nil
}

// Flush is called before more is awaited.
func (m memory) Flush() error {
	if len(*m.request) >= m.most {
		return errFull
	}
	return nil
}

// readFirst takes the body into the request, all of it if possible.
func (x *exchange) readFirst() *Refusal {
	if x.in.expects && !x.in.http10 && x.br.Buffered() == 0 {
		_, _ = x.bw.WriteString("HTTP/1.1 100 Continue\r\n\r\n") // an error shows in the response
		_ = x.bw.Flush()
	}
	limits := &x.server.Limits
	u := &upload{conn: x.conn, limits: limits, pace: newPace(limits.RequestRate, limits.grace(false))}
	u.mover = mover{dst: memory{&x.request, len(x.request) + bufferSize}, src: x.br, wait: u.awaitClient}
	u.begin(x.in.length)
	if x.in.length < 0 || x.in.length > bufferSize {
		u.unsure = time.Now().Add(limits.unsure())
	}
	err := u.move()
	x.until = time.Time{} // it set others
	x.r.Start = time.Now()
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errFull), errors.Is(err, errUnsure):
		x.streams, x.upload = true, u
		return nil
	}
	x.streams, x.in.closes = true, true // who knows what still comes
	return badBody(err, limits.RequestRate, limits.grace(false))
}

// badBody is the answer to a body that could not be read.
func badBody(err error, rate int, grace time.Duration) *Refusal {
	switch {
	case errors.Is(err, errSlow):
		return refusef(http.StatusRequestTimeout, "%v: less than %d bytes a second for %v", err, rate, grace)
	case errors.Is(err, errFraming):
		return refusef(http.StatusBadRequest, "the request's body is not valid: %v", err)
	}
	return refusef(http.StatusBadRequest, "the request's body ended early")
}

// awaitClient waits until n bytes are there. A body is too slow when they are
// not and the pace is spent: what came while nobody read counts.
func (u *upload) awaitClient(n int) error {
	u.pace.earn(u.moved - u.paced)
	u.paced = u.moved
	for {
		now := time.Now()
		if err := u.setDeadline(u.limit(now)); err != nil {
			return err
		}
		_, err := u.src.Peek(n)
		after := time.Now()
		left := u.pace.spend(after.Sub(now))
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			u.active.Store(after.UnixNano())
			return err
		}
		if !u.unsure.IsZero() && !after.Before(u.unsure) {
			return errUnsure
		}
		if !left && !u.streaming.Load() {
			return errSlow
		}
		if idle := u.limits.StreamIdle; u.streaming.Load() && idle > 0 && after.Sub(u.lastActive()) >= idle {
			return errIdle(idle)
		}
	}
}

// limit is when to look again at how the client does; zero: never. There is
// always time to find what is there already.
func (u *upload) limit(now time.Time) time.Time {
	until := earlier(u.pace.until(now), u.unsure)
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

// startUpload sends the request as far as it is in memory, and then the rest of
// its body as it comes.
func (x *exchange) startUpload() {
	u := x.upload
	u.dst = bufio.NewWriterSize(x.up, bufferSize)
	u.pace = newPace(u.limits.RequestRate, u.limits.grace(true))
	u.paced = u.moved
	u.unsure = time.Time{}
	// What came while it waited for its turn earns that back. More than a minute
	// it would not: the kernel holds no more bytes of a client that was quick.
	u.pace.spend(min(time.Since(x.r.Start), time.Minute))
	u.done = make(chan struct{})
	up, request := x.up, x.request
	go func() {
		err := u.write(request)
		if err == nil {
			err = u.move()
		}
		if err == nil {
			err = u.flush()
		}
		u.err = err
		close(u.done)
		if w := (writeError{}); err != nil && !errors.As(err, &w) {
			_ = up.Close() // the client failed: nobody waits for a response
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
	if wait { // the target answered early; what it did not want to read, it will not
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
	_ = u.conn.nc.SetReadDeadline(longAgo) // an error means that it is closed
}

// answered tells the upload that the response began.
func (u *upload) answered() {
	if u == nil {
		return
	}
	u.active.Store(time.Now().UnixNano())
	u.streaming.Store(true)
}

func (u *upload) begun() bool { return u != nil && u.done != nil }

// running reports whether the upload goes on.
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

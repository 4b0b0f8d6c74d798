// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"slices"
	"syscall"
	"time"
)

// clientWatchDelay is how long an exchange waits for the target before it starts
// the client watch.
const clientWatchDelay = time.Second

// exchange is one HTTP/1 request and its response.
type exchange struct {
	*conn
	r *Request

	streams bool      // the body is sent while the response is awaited
	upload  *upload   // sends it
	up      *upstream // the connection to the target
	closes  bool      // the client's connection closes after this response
	unread  bool      // the client may still be sending
}

// run sends the request, relays the response, and reports whether the client's
// connection can serve another request.
func (x *exchange) run() bool {
	if refused := x.prepare(); refused != nil {
		return x.refuse(refused)
	}
	if !x.arrived() {
		x.r.Status, x.r.Err = StatusClientGone, errClientGone
		return false
	}
	var err error
	x.r.Target, err = x.attempt.Admit(x.r)
	if !x.endClientWatch() {
		x.r.Status, x.r.Err = StatusClientGone, errClientGone
		return false
	}
	if err != nil {
		return x.refuse(err)
	}
	if path := x.r.Target.Path; path != "" {
		x.setPath(path)
	}
	if err := x.send(); err != nil {
		return x.fail(err)
	}
	return x.respond()
}

// fail closes the upstream connection, and answers err unless the client left.
func (x *exchange) fail(err error) bool {
	x.discard()
	if errors.Is(err, errClientGone) {
		x.r.Status, x.r.Err = StatusClientGone, err
		return false
	}
	return x.refuse(err)
}

// prepare writes the request for the target into x.request, with its body if that
// is small.
func (x *exchange) prepare() *Refusal {
	x.request = appendRequest(x.request[:0], &x.in, x.fw)
	length := x.in.length
	if length == 0 {
		return nil
	}
	if length < 0 || x.br.Buffered() < length {
		return x.readFirst()
	}
	body, _ := x.br.Peek(length) // buffered, so it cannot fail
	x.request = append(x.request, body...)
	_, _ = x.br.Discard(length) // the same
	return nil
}

// setPath replaces the path and query in the prepared request.
func (x *exchange) setPath(path string) {
	from := len(x.in.method) + len(" ")
	x.request = slices.Replace(x.request, from, from+len(x.in.uri), []byte(path)...)
}

// send connects, sends the request, and waits for the first byte of the
// response. The target may have closed a connection from the pool. Then send
// repeats the request if no byte of it was sent or its method is idempotent.
func (x *exchange) send() error {
	for again := false; ; again = true {
		if err := x.connect(again); err != nil {
			return err
		}
		sent, err := x.sendOnce()
		if err == nil {
			return nil
		}
		safe := sent == 0 || idempotent(x.r.Method)
		if x.streams || !x.up.reused || !safe || !isClosed(err) {
			return x.explain(err)
		}
		_ = x.up.Close() // the target closed it
	}
}

// sendOnce sends the request and returns how many bytes of it were sent.
func (x *exchange) sendOnce() (int, error) {
	if x.streams {
		x.startUpload()
	} else {
		x.up.pending, x.up.sent = x.request, 0
	}
	err := x.awaitResponse(x.r.Start)
	return x.up.sent, err
}

// connect gets a connection to the target, or to the next one if that fails. With
// fresh it does not use the pool.
func (x *exchange) connect(fresh bool) error {
	for {
		var err error
		if fresh {
			x.up, err = x.server.upstreams.dial(x.server.base, x.r.Target.Addr)
		} else {
			x.up, err = x.server.upstreams.get(x.server.base, x.r.Target.Addr, x.streams)
		}
		if err == nil {
			x.live.Store(x.up)
			return nil
		}
		if refused := (*Refusal)(nil); errors.As(err, &refused) {
			return refused
		}
		next, refused := x.attempt.Elsewhere(x.r)
		if !x.endClientWatch() {
			return errClientGone
		}
		if refused != nil {
			return nowhere(x.r.Target, err, refused)
		}
		x.r.Target, fresh = next, false
	}
}

// awaitResponse waits for the response's first byte.
func (x *exchange) awaitResponse(now time.Time) error {
	return x.await(1, now, x.r.Start.Add(x.r.Target.timeout()))
}

// awaitBody waits until n bytes of the response are buffered, no longer than
// StreamIdle after the last byte in either direction.
func (x *exchange) awaitBody(n int) error {
	now := time.Now()
	last, idle := now, x.server.Limits.StreamIdle
	for {
		err := x.await(n, now, after(last, idle))
		now = time.Now()
		if err == nil && x.upload != nil {
			x.upload.active.Store(now.UnixNano())
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		if x.upload.running() {
			last = x.upload.lastActive()
		}
		if idle > 0 && now.Sub(last) >= idle {
			return errIdle(idle)
		}
	}
}

// await waits until n bytes from the target are buffered or limit passes; a zero
// limit never does. After clientWatchDelay it also watches the client.
func (x *exchange) await(n int, now, limit time.Time) error {
	for {
		soon := now.Add(clientWatchDelay)
		if !limit.IsZero() && soon.After(limit) {
			soon = limit
		}
		if set := x.up.until; set.After(now.Add(clientWatchDelay/2)) && set.Before(soon) {
			soon = set // near enough: saves the system call for most requests
		} else if err := x.up.SetReadDeadline(soon); err != nil {
			return err
		}
		err := x.up.await(n)
		if !errors.Is(err, os.ErrDeadlineExceeded) || soon.Equal(limit) {
			return err
		}
		if !x.upload.running() { // which notices a client that leaves
			break
		}
		now = soon
	}
	if err := x.up.SetReadDeadline(limit); err != nil {
		return err
	}
	up := x.up
	stop := context.AfterFunc(x.context(), func() { _ = up.Close() }) // wakes the read
	err := up.await(n)
	stop()
	if !x.endClientWatch() {
		return errClientGone
	}
	return err
}

// explain converts an error before the response to the client's answer.
func (x *exchange) explain(err error) error {
	if refusal, ok := errors.AsType[*Refusal](err); ok {
		return refusal
	}
	switch {
	case x.server.base.Err() != nil:
		return &Refusal{Status: http.StatusServiceUnavailable, Text: errAborted.Error(), RetryAfter: time.Second}
	case errors.Is(err, errClientGone):
		return errClientGone
	case x.upload.clientFailed():
		if err := x.upload.err; errors.Is(err, errFraming) || errors.Is(err, errSlow) {
			return badBody(err, x.upload.pace.rate, x.upload.pace.grace)
		}
		return errClientGone
	case errors.Is(err, os.ErrDeadlineExceeded):
		return timedOut(x.r.Target)
	}
	return broken(x.r.Target, err)
}

// isClosed reports whether err means that the other side closed the connection.
func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// respond relays the response, and reports whether the client's connection can
// serve another request.
func (x *exchange) respond() bool {
	framing, err := x.relayHead()
	if err != nil {
		return x.fail(x.explain(err))
	}
	if x.out.status == http.StatusSwitchingProtocols {
		x.tunnel()
		return false
	}
	m := bodyCopier{dst: x.bw, src: x.up.br, dechunk: x.in.http10}
	m.begin(framing)
	if framing < 0 || framing > x.up.br.Buffered() {
		m.wait = x.awaitBody
	}
	err = m.copy()
	if err == nil {
		err = m.flush()
	}
	x.r.Sent = m.copied
	uploaded := x.endUpload(err == nil)
	if err != nil {
		_ = x.bw.Flush() // the client must see that the body was cut short
		x.r.Err = err
		x.discard()
		return false
	}
	if uploaded && framing != untilClose && !x.out.closes {
		x.server.upstreams.put(x.up, time.Now())
	} else {
		x.discard()
	}
	x.unread = !uploaded
	return uploaded && !x.closes
}

// relayHead relays interim responses (RFC 9110, 15.2) and the head of the final
// one. It returns the framing of the body.
func (x *exchange) relayHead() (int, error) {
	for {
		err := readHead(x.up.br, x.out.parseResponse, func() error {
			return x.up.SetReadDeadline(x.r.Start.Add(x.r.Target.timeout()))
		})
		if err != nil {
			return 0, err
		}
		upgraded, err := x.upgraded()
		if err != nil {
			return 0, err
		}
		interim := x.out.status < 200 && !upgraded
		framing := responseFraming(&x.out, x.in.isHead())
		x.closes = !upgraded && !interim && (x.in.closes || (x.in.http10 && framing < 0) || x.server.draining.Load())
		if !interim || (x.out.status != http.StatusContinue && !x.in.http10) {
			x.head = appendResponse(x.head[:0], &x.out, framing, x.in.http10, x.closes, x.r.Target.Revision)
			_, _ = x.bw.Write(x.head) // bufio keeps an error for the next write
		}
		if !interim {
			x.r.Status = x.out.status
			x.upload.responseBegan()
			return framing, nil
		}
		_ = x.bw.Flush() // as above
		if err := x.awaitResponse(time.Now()); err != nil {
			return 0, err
		}
	}
}

// upgraded reports whether the target switches protocols. It fails if the client
// did not ask for that, or its body is not sent.
func (x *exchange) upgraded() (bool, error) {
	switch {
	case x.out.status != http.StatusSwitchingProtocols:
		return false, nil
	case !x.in.upgrading():
		return false, errors.New("it switched protocols unasked")
	case !x.endUpload(true): // two goroutines must not read the client
		return false, broken(x.r.Target, errors.New("it switched protocols before it had the request's body"))
	}
	return true, nil
}

// refuse answers the request with err, and reports whether the client's
// connection can serve another request.
func (x *exchange) refuse(err error) bool {
	refused := x.server.refuse(x.r, err)
	x.unread = x.streams
	closes := x.unread || x.in.closes || x.server.draining.Load()
	x.answer(refused, x.r.Target.Revision, closes)
	return !closes
}

// discard closes the upstream connection and ends the upload.
func (x *exchange) discard() {
	if x.up != nil {
		_ = x.up.Close() // it cannot be used again
	}
	x.endUpload(false)
}

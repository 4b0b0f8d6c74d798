// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

var longAgo = time.Unix(1, 0)

// conn is a client's HTTP/1 connection. Its goroutine serves one request after
// the other; the fields are reused for each.
type conn struct {
	server *Server
	nc     net.Conn
	br     *bufio.Reader
	bw     *bufio.Writer
	remote string

	got     []byte     // the request's head as it came
	in      head       // the same, parsed
	request []byte     // as it goes upstream
	out     head       // the response's
	head    []byte     // the same, as it goes to the client
	fw      *forwarded // nil: not asked for
	req     Request
	x       exchange
	live    atomic.Pointer[upstream] // for abort: where the request is

	// watch notices a client that leaves while its request waits.
	watch watch

	mu    sync.Mutex // guards idle and the deadline that goes with it
	idle  bool
	until time.Time // read deadline that is set
}

func newConn(s *Server, nc net.Conn) *conn {
	raw := rawIO(nc)
	c := &conn{server: s, nc: nc, br: bufio.NewReaderSize(raw, bufferSize)}
	c.bw = bufio.NewWriterSize(newStallWriter(nc, raw, &s.Limits), bufferSize/2)
	if host, _, err := net.SplitHostPort(nc.RemoteAddr().String()); err == nil {
		c.remote = host
	}
	if s.Forwarded {
		c.fw = &forwarded{remote: c.remote}
	}
	c.req.header = func(name string) string { return string(c.in.get(name)) }
	c.req.context = c.context
	return c
}

// serve answers requests until either side wants to stop.
func (c *conn) serve() {
	keep := false
	for first := true; ; first = false {
		if !c.await() {
			break
		}
		if first && c.beginsHTTP2() {
			c.server.http2.take(c)
			return
		}
		if keep = c.one(); !keep {
			break
		}
	}
	_ = c.nc.Close() // all that could be said was said
}

// await waits for the first byte of a request.
func (c *conn) await() bool {
	c.mu.Lock()
	c.idle = true
	now := time.Now()
	switch {
	case c.server.draining.Load():
		c.setReadDeadline(now.Add(idleGrace))
	case c.until.Sub(now) < clientIdle/2: // spares most requests the call
		c.setReadDeadline(now.Add(clientIdle))
	}
	c.mu.Unlock()
	_, err := c.br.Peek(1)
	c.mu.Lock()
	c.idle = false
	c.mu.Unlock()
	return err == nil
}

// setReadDeadline remembers the deadline it sets. An error means that the
// connection is closed, which the next read reports.
func (c *conn) setReadDeadline(t time.Time) {
	c.until = t
	_ = c.nc.SetReadDeadline(t)
}

// stopIdling lets an idle connection end soon.
func (c *conn) stopIdling() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.idle {
		c.setReadDeadline(time.Now().Add(idleGrace))
	}
}

// abort ends the connection whatever it does.
func (c *conn) abort() {
	_ = c.nc.Close() // whoever reads or writes learns of it
	if up := c.live.Load(); up != nil {
		_ = up.Close()
	}
}

// one reads and answers one request and reports whether another may follow.
func (c *conn) one() bool {
	if refused := c.readHead(); refused != nil {
		if refused.Status != 0 {
			c.answer(refused, "", true)
			c.linger()
		}
		return false
	}
	c.req = Request{
		Method:   same(c.req.Method, c.in.method),
		Host:     same(c.req.Host, c.in.host),
		Path:     same(c.req.Path, c.in.target),
		Protocol: c.in.version(),
		Remote:   c.remote,
		Start:    time.Now(),
		header:   c.req.header,
		context:  c.req.context,
	}
	c.x = exchange{conn: c, r: &c.req}
	keep := c.x.run()
	c.server.Policy.Done(&c.req)
	if c.x.streams {
		c.request = nil // it is large
	}
	if c.x.unread {
		c.linger()
	}
	return keep
}

// same returns old if it equals b, to save the copy: the requests of a
// connection resemble each other.
func same(old string, b []byte) string {
	if old == string(b) {
		return old
	}
	return string(b)
}

// readHead reads a request's head. A refusal without status means that there
// was none.
func (c *conn) readHead() *Refusal {
	var until time.Time
	limit := c.server.Limits.ClientHeader
	err := readHead(c.br, func(b []byte) (int, error) {
		c.got = append(c.got[:0], b...) // what is read next may move b
		return c.in.parseRequest(c.got)
	}, func() error {
		if until.IsZero() { // once: the bound is for the whole head
			until = time.Now()
			c.setReadDeadline(after(until, limit))
		}
		return nil
	})
	switch {
	case err == nil:
		return c.checkTarget()
	case errors.Is(err, errTooLarge):
		return refusef(http.StatusRequestHeaderFieldsTooLarge, "the request has more than %d bytes or %d lines of headers", bufferSize, maxFields)
	case errors.Is(err, errVersion):
		return refusef(http.StatusHTTPVersionNotSupported, "only HTTP/1.1 and HTTP/2 are supported here")
	case errors.Is(err, errMalformed):
		return refusef(http.StatusBadRequest, "the request is not valid HTTP/1.1")
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refusef(http.StatusRequestTimeout, "the request's headers did not arrive within %v", limit)
	}
	return &Refusal{} // the client left
}

// checkTarget makes the rare absolute form of a request's target an ordinary
// one, and gives a request without a host that under which it came.
func (c *conn) checkTarget() *Refusal {
	in := &c.in
	if rest, ok := bytes.CutPrefix(in.target, []byte("http://")); ok {
		host, _, _ := bytes.Cut(rest, []byte{'/'})
		if in.has(kindHost) && !bytes.EqualFold(host, in.host) {
			return refusef(http.StatusBadRequest, "the request's target must be a path")
		}
		in.host, in.target = host, rest[len(host):]
		if len(in.target) == 0 {
			in.target = []byte{'/'}
		}
	}
	if len(in.host) == 0 {
		in.host = []byte(c.nc.LocalAddr().String())
	}
	return checkRequest(same(c.req.Method, in.method), in.target, in.host)
}

// answer writes a response of our own.
func (c *conn) answer(refused *Refusal, revision string, closes bool) {
	var n int
	c.head, n = appendRefusal(c.head[:0], refused, c.in.isHead(), c.in.http10, closes, revision)
	c.req.Sent = int64(n)
	if _, err := c.bw.Write(c.head); err == nil {
		_ = c.bw.Flush() // a client that left needs no answer
	}
}

// linger reads what the client still sends before the connection is closed: a
// close with unread data would reset it, and could take the answer away.
func (c *conn) linger() {
	if half, ok := c.nc.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		return
	}
	c.setReadDeadline(time.Now().Add(idleGrace))
	_, _ = io.CopyN(io.Discard, c.br, 1<<20) // whatever comes, it is enough
}

// watch is a context that ends when the client closes its side of the
// connection. Reading ahead on the connection is the only way to know, so it
// happens only while a request waits for longer than usual.
type watch struct {
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
}

// context starts the watch, once per request.
func (c *conn) context() context.Context {
	if c.watch.ctx != nil {
		return c.watch.ctx
	}
	w := watch{done: make(chan struct{})}
	w.ctx, w.cancel = context.WithCancel(c.server.base)
	c.watch = w
	c.setReadDeadline(time.Time{})
	next := c.br.Buffered() + 1
	go func() {
		defer close(w.done)
		_, err := c.br.Peek(next)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, bufio.ErrBufferFull) {
			w.cancel()
		}
	}()
	return w.ctx
}

// unwatch ends the watch, so that the connection may be read again, and
// reports whether the client is still there.
func (c *conn) unwatch() bool {
	w := c.watch
	if w.ctx == nil {
		return true
	}
	c.watch = watch{}
	_ = c.nc.SetReadDeadline(longAgo) // wakes the reader
	<-w.done
	c.setReadDeadline(time.Time{})
	present := w.ctx.Err() == nil
	w.cancel()
	return present
}

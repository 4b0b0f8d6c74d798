// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// mostKept is how many bytes of a request's first lines an idle connection keeps
// for the next, which is often the same.
const mostKept = 512

// conn is a client's HTTP/1 connection. Its goroutine serves one request after
// the other; the fields are reused for each.
type conn struct {
	server *Server
	nc     net.Conn
	raw    io.ReadWriter // the same
	stall  *stallWriter  // to the same
	remote string
	client netip.Prefix
	inside bool            // it came by Config.Inside
	fd     syscall.RawConn // nil: nobody can look

	*buffers            // nil while the connection is idle
	fw       *forwarded // nil: not asked for
	attempt  Attempt
	req      Request
	x        exchange
	live     atomic.Pointer[upstream] // for abort: where the request is

	// try is the method, made once, and tried what it found.
	try   func(fd uintptr) bool
	tried error

	// watch notices a client that leaves while its request waits.
	watch watch

	mu    sync.Mutex // guards the state and the deadline that goes with it
	state state
	since time.Time // of being idle, or of the last time that it was
	given bool      // to the HTTP/2 server
	gone  bool      // closed for another connection
	until time.Time // read deadline that is set
}

// buffers are what a connection needs for a request. Idle ones share them: there
// may be thousands.
type buffers struct {
	br *bufio.Reader
	bw *bufio.Writer

	got     []byte // the request's head as it came
	in      head   // the same, parsed
	request []byte // as it goes upstream
	out     head   // the response's
	head    []byte // the same, as it goes to the client
}

var spare = sync.Pool{New: func() any {
	return &buffers{br: bufio.NewReaderSize(nil, bufferSize), bw: bufio.NewWriterSize(nil, bufferSize/2)}
}}

// take gives the connection buffers.
func (c *conn) take() {
	c.buffers = spare.Get().(*buffers)
	c.br.Reset(c.raw)
	c.bw.Reset(c.stall)
}

// give gives the buffers back, with nothing in them.
func (c *conn) give() {
	b := c.buffers
	c.buffers = nil
	spare.Put(b)
}

// state is what a connection is at.
type state uint8

const (
	busy    state = iota // with a request that arrived
	reading              // with a part of one
	idle
)

func newConn(s *Server, nc net.Conn) *conn {
	c := &conn{server: s, nc: nc, raw: rawIO(nc), attempt: s.Policy.NewAttempt()}
	c.stall = newStallWriter(nc, c.raw, &s.Limits)
	c.try = c.tryRead
	if addr, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		c.client = clientOf(addr.AddrPort().Addr())
		c.remote = addr.AddrPort().Addr().Unmap().String()
	}
	if file, ok := nc.(syscall.Conn); ok {
		c.fd, _ = file.SyscallConn() // nil if it is closed, as its first use will tell
	}
	if s.Forwarded {
		c.fw = &forwarded{remote: c.remote}
	}
	c.req.header = func(name string) string { return string(c.in.get(name)) }
	c.req.context = c.context
	return c
}

// serve answers requests until either side wants to stop. It reports whether it
// gave the connection to the HTTP/2 server.
func (c *conn) serve() (given bool) {
	for first := true; c.await(); first = false {
		if first && c.beginsHTTP2() {
			return c.server.http2.take(c)
		}
		if !c.one() {
			return false // with buffers that somebody may still use
		}
	}
	if c.buffers != nil {
		c.give()
	}
	return false
}

// await waits for the first byte of a request.
func (c *conn) await() bool {
	c.mu.Lock()
	now := time.Now()
	c.state, c.since = idle, now
	switch {
	case c.server.draining.Load():
		c.setReadDeadline(now.Add(idleGrace))
	case c.until.Sub(now) < clientIdle/2: // spares most requests the call
		c.setReadDeadline(now.Add(clientIdle))
	}
	c.mu.Unlock()
	err := c.awaitByte()
	c.mu.Lock()
	c.state = reading
	c.mu.Unlock()
	return err == nil
}

// awaitByte waits for something to read, without buffers.
func (c *conn) awaitByte() error {
	switch {
	case c.buffers == nil:
	case c.br.Buffered() > 0:
		return nil
	default:
		c.give()
	}
	if c.fd == nil {
		c.take()
		_, err := c.br.Peek(1)
		return err
	}
	if err := c.fd.Read(c.try); err != nil {
		return err
	}
	return c.tried
}

// tryRead takes buffers and reads into them what is there. If nothing is, it
// gives them back, and is called again when something came.
func (c *conn) tryRead(fd uintptr) bool {
	c.take()
	if c.tried = readNow(c.raw, fd, c.br); errors.Is(c.tried, syscall.EAGAIN) {
		c.give()
		return false
	}
	return true
}

// arrived notes that the connection has a request that is to be answered, and
// reports whether that can be done.
func (c *conn) arrived() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = busy
	return !c.gone
}

// rest notes whether an HTTP/2 connection has requests.
func (c *conn) rest(is state) {
	c.mu.Lock()
	c.state, c.since = is, time.Now()
	c.mu.Unlock()
}

// resting returns the state, and since when the connection has had no request.
func (c *conn) resting() (state, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state, c.since
}

// closeResting closes the connection unless a request arrived, and reports
// whether it did.
func (c *conn) closeResting() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == busy || c.gone || (c.state == idle && c.pending()) {
		return false
	}
	c.gone = true
	_ = c.nc.Close()
	return true
}

// pending looks whether something arrived that was not read yet.
func (c *conn) pending() bool {
	var found error
	return c.fd == nil || c.fd.Control(func(fd uintptr) { found = peek(fd) }) != nil || !errors.Is(found, syscall.EAGAIN)
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
	if c.state == idle && !c.given {
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
		Inside:   c.inside,
		Start:    time.Now(),
		header:   c.req.header,
		context:  c.req.context,
	}
	c.x = exchange{conn: c, r: &c.req}
	keep := c.x.run()
	c.attempt.Done(&c.req)
	if c.x.streams {
		c.request = nil // it is large
	}
	if c.x.unread {
		c.linger()
	}
	c.x = exchange{} // it may hold much
	if len(c.req.Method)+len(c.req.Host)+len(c.req.Path) > mostKept {
		c.req.Method, c.req.Host, c.req.Path = "", "", ""
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

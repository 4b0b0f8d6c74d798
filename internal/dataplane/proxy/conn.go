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

// maxKept bounds the bytes of a request's method, host and path that an idle
// connection keeps for the next request, which often has the same.
const maxKept = 512

// conn is a client's HTTP/1 connection. Its goroutine serves one request after
// another and reuses the fields for each.
type conn struct {
	server *Server
	nc     net.Conn
	raw    io.ReadWriter // the same connection
	stall  *stallWriter  // writes to the same connection
	remote string
	client netip.Prefix
	inside bool            // it arrived through Config.Inside
	fd     syscall.RawConn // nil: it has none

	*buffers            // nil while the connection is idle
	fw       *forwarded // nil: no X-Forwarded headers
	attempt  Attempt
	req      Request
	x        exchange
	live     atomic.Pointer[upstream] // the request's connection, for abort

	// try is the method tryRead as a value, made once. tried is its result.
	try   func(fd uintptr) bool
	tried error

	clientWatch clientWatch

	mu        sync.Mutex // guards the state and the deadline that goes with it
	state     state
	since     time.Time // when it last became idle
	handedOff bool      // to the HTTP/2 server
	evicted   bool      // closed in favour of another connection
	until     time.Time // the current read deadline
}

// buffers hold one request. Idle connections have none: there may be thousands.
type buffers struct {
	br *bufio.Reader
	bw *bufio.Writer

	got     []byte // the request's head as received
	in      head   // the same, parsed
	request []byte // the request as sent to the target
	out     head   // the response's head
	head    []byte // the same, as sent to the client
}

var bufferPool = sync.Pool{New: func() any {
	return &buffers{br: bufio.NewReaderSize(nil, bufferSize), bw: bufio.NewWriterSize(nil, bufferSize/2)}
}}

// takeBuffers takes buffers from the pool.
func (c *conn) takeBuffers() {
	c.buffers = bufferPool.Get().(*buffers)
	c.br.Reset(c.raw)
	c.bw.Reset(c.stall)
}

// releaseBuffers returns the empty buffers to the pool.
func (c *conn) releaseBuffers() {
	b := c.buffers
	c.buffers = nil
	bufferPool.Put(b)
}

// state is the state of a connection. A larger one is closed first.
type state uint8

const (
	busy    state = iota // serves a request
	reading              // has received a part of a request
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
		c.fd, _ = file.SyscallConn() // nil if it is closed, which its first use reports
	}
	if s.Forwarded {
		c.fw = &forwarded{remote: c.remote}
	}
	c.req.header = func(name string) string { return string(c.in.get(name)) }
	c.req.context = c.context
	return c
}

// serve serves requests until either side closes the connection. It reports
// whether it handed the connection off to the HTTP/2 server.
func (c *conn) serve() (handedOff bool) {
	for first := true; c.await(); first = false {
		if first && c.beginsHTTP2() {
			return c.server.http2.take(c)
		}
		if !c.serveRequest() {
			return false // the buffers may still be in use, so the pool does not get them
		}
	}
	if c.buffers != nil {
		c.releaseBuffers()
	}
	return false
}

// await waits for the first byte of a request, and reports whether it arrived.
func (c *conn) await() bool {
	c.mu.Lock()
	now := time.Now()
	c.state, c.since = idle, now
	switch {
	case c.server.draining.Load():
		c.setReadDeadline(now.Add(idleGrace))
	case c.until.Sub(now) < clientIdle/2: // saves the system call for most requests
		c.setReadDeadline(now.Add(clientIdle))
	}
	c.mu.Unlock()
	err := c.awaitByte()
	c.mu.Lock()
	c.state = reading
	c.mu.Unlock()
	return err == nil
}

// awaitByte waits for input without holding buffers.
func (c *conn) awaitByte() error {
	switch {
	case c.buffers == nil:
	case c.br.Buffered() > 0:
		return nil
	default:
		c.releaseBuffers()
	}
	if c.fd == nil {
		c.takeBuffers()
		_, err := c.br.Peek(1)
		return err
	}
	if err := c.fd.Read(c.try); err != nil {
		return err
	}
	return c.tried
}

// tryRead takes buffers and reads the available input into them. If there is
// none, it releases them and is called again on input.
func (c *conn) tryRead(fd uintptr) bool {
	c.takeBuffers()
	if c.tried = readNow(c.raw, fd, c.br); errors.Is(c.tried, syscall.EAGAIN) {
		c.releaseBuffers()
		return false
	}
	return true
}

// arrived marks the connection as busy, and reports whether it is still open.
func (c *conn) arrived() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = busy
	return !c.evicted
}

// setState sets the state of a connection that is new, or of HTTP/2.
func (c *conn) setState(is state) {
	c.mu.Lock()
	c.state, c.since = is, time.Now()
	c.mu.Unlock()
}

// idleState returns the state and when the connection last became idle.
func (c *conn) idleState() (state, time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state, c.since
}

// evict closes the connection unless it has a request, and reports whether
// it closed it.
func (c *conn) evict() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == busy || c.evicted || (c.state == idle && c.hasInput()) {
		return false
	}
	c.evicted = true
	_ = c.nc.Close()
	return true
}

// hasInput reports whether the connection has unread input, or may have it.
func (c *conn) hasInput() bool {
	var found error
	return c.fd == nil || c.fd.Control(func(fd uintptr) { found = peek(fd) }) != nil || !errors.Is(found, syscall.EAGAIN)
}

// setReadDeadline sets the read deadline and remembers it. It ignores an error,
// because the next read reports that the connection is closed.
func (c *conn) setReadDeadline(t time.Time) {
	c.until = t
	_ = c.nc.SetReadDeadline(t)
}

// expireIdle closes an idle connection after idleGrace.
func (c *conn) expireIdle() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.state == idle && !c.handedOff {
		c.setReadDeadline(time.Now().Add(idleGrace))
	}
}

// abort closes the connection and that of its request to the target.
func (c *conn) abort() {
	_ = c.nc.Close() // a pending read or write fails
	if up := c.live.Load(); up != nil {
		_ = up.Close()
	}
}

// serveRequest reads and answers one request, and reports whether another may
// follow.
func (c *conn) serveRequest() bool {
	if refused := c.readHead(); refused != nil {
		if refused.Status != 0 {
			c.answer(refused, "", true)
			c.linger()
		}
		return false
	}
	c.req = Request{
		Method:   reuse(c.req.Method, c.in.method),
		Host:     reuse(c.req.Host, c.in.host),
		Path:     reuse(c.req.Path, c.in.uri),
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
	c.x = exchange{} // it may hold a large buffer
	if len(c.req.Method)+len(c.req.Host)+len(c.req.Path) > maxKept {
		c.req.Method, c.req.Host, c.req.Path = "", "", ""
	}
	return keep
}

// reuse returns old if it equals b, and saves the allocation: the requests of a
// connection resemble each other.
func reuse(old string, b []byte) string {
	if old == string(b) {
		return old
	}
	return string(b)
}

// readHead reads a request's head. A Refusal without a status means that the
// client left.
func (c *conn) readHead() *Refusal {
	var until time.Time
	limit := c.server.Limits.ClientHeader
	err := readHead(c.br, func(b []byte) (int, error) {
		c.got = append(c.got[:0], b...) // the next read may overwrite b
		return c.in.parseRequest(c.got)
	}, func() error {
		if until.IsZero() { // once: the limit is for the whole head
			until = time.Now()
			c.setReadDeadline(after(until, limit))
		}
		return nil
	})
	switch {
	case err == nil:
		return c.checkURI()
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

// checkURI converts the absolute form of a request target to the origin form (RFC
// 9112, 3.2), and sets the local address as the host of a request without one.
func (c *conn) checkURI() *Refusal {
	in := &c.in
	if rest, ok := bytes.CutPrefix(in.uri, []byte("http://")); ok {
		host, _, _ := bytes.Cut(rest, []byte{'/'})
		if in.has(kindHost) && !bytes.EqualFold(host, in.host) {
			return refusef(http.StatusBadRequest, "the request's target must be a path")
		}
		in.host, in.uri = host, rest[len(host):]
		if len(in.uri) == 0 {
			in.uri = []byte{'/'}
		}
	}
	if len(in.host) == 0 {
		in.host = []byte(c.nc.LocalAddr().String())
	}
	return checkRequest(reuse(c.req.Method, in.method), in.uri, in.host)
}

// answer writes a Refusal as the response.
func (c *conn) answer(refused *Refusal, revision string, closes bool) {
	var n int
	c.head, n = appendRefusal(c.head[:0], refused, c.in.isHead(), c.in.http10, closes, revision)
	c.req.Sent = int64(n)
	if _, err := c.bw.Write(c.head); err == nil {
		_ = c.bw.Flush() // the client may have left
	}
}

// linger reads what the client still sends before the connection is closed. A
// close with unread input resets the connection, and the client could lose the
// response.
func (c *conn) linger() {
	if half, ok := c.nc.(interface{ CloseWrite() error }); !ok || half.CloseWrite() != nil {
		return
	}
	c.setReadDeadline(time.Now().Add(idleGrace))
	_, _ = io.CopyN(io.Discard, c.br, 1<<20) // any error ends it
}

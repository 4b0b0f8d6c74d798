// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	// dialTimeout is long for a Pod network and short for a client.
	dialTimeout = 2 * time.Second
	// upstreamIdle is shorter than clientIdle, after which Serin's own servers
	// close a connection. So the sending side closes first, and no request is
	// sent on a connection that the other side closes.
	upstreamIdle = 30 * time.Second
	// maxIdlePerAddr bounds the connections kept for reuse.
	maxIdlePerAddr = 512
)

// upstreams is the pool of HTTP/1.1 connections to targets, by address.
type upstreams struct {
	dialer      net.Dialer
	idleTimeout time.Duration
	maxOpen     int // connections, idle or not
	open        atomic.Int64
	mu          sync.Mutex
	idle        map[string][]*upstream // the last used one at the end
	closed      bool
}

// upstream is one connection to a target.
type upstream struct {
	net.Conn
	raw    io.Writer // the same connection
	br     *bufio.Reader
	addr   string
	since  time.Time // when it was put into the pool
	until  time.Time // the current read deadline
	reused bool

	pending []byte // a request that is not sent yet
	sent    int    // how many bytes of the last request were sent

	fd      syscall.RawConn
	check   func(fd uintptr)
	checked error // the result of the last check
}

// SetReadDeadline sets the read deadline and remembers it.
func (u *upstream) SetReadDeadline(t time.Time) error {
	u.until = t
	return u.Conn.SetReadDeadline(t)
}

func (u *upstream) Write(b []byte) (int, error) { return u.raw.Write(b) }

func newUpstreams(idleTimeout time.Duration, maxOpen int) *upstreams {
	return &upstreams{idleTimeout: idleTimeout, maxOpen: maxOpen, dialer: net.Dialer{Timeout: dialTimeout}, idle: map[string][]*upstream{}}
}

// get returns a connection from the pool, or a new one. The target may have closed a
// connection from the pool: get with check, or send, detects that.
func (p *upstreams) get(ctx context.Context, addr string, check bool) (*upstream, error) {
	for {
		u := p.pop(addr)
		if u == nil {
			return p.dial(ctx, addr)
		}
		if time.Since(u.since) < p.idleTimeout && (!check || u.open()) {
			u.reused = true
			return u, nil
		}
		_ = u.Close() // expired, or closed by the target
	}
}

func (p *upstreams) pop(addr string) *upstream {
	p.mu.Lock()
	defer p.mu.Unlock()
	conns := p.idle[addr]
	if len(conns) == 0 {
		return nil
	}
	u := conns[len(conns)-1]
	conns[len(conns)-1] = nil
	p.idle[addr] = conns[:len(conns)-1]
	return u
}

// errTooManyUpstreams is the answer at the limit on connections to targets. No other
// target is tried, because it could not help.
var errTooManyUpstreams = &Refusal{Status: http.StatusServiceUnavailable, Text: "there are too many connections to Pods", RetryAfter: time.Second}

// countedConn is a connection to a target that upstreams.open counts.
type countedConn struct {
	*net.TCPConn
	release func() // idempotent
}

func (c *countedConn) Close() error {
	c.release()
	return c.TCPConn.Close()
}

// connect makes a connection. At the limit, or without a descriptor, it closes an idle
// connection first. If there is none, the error is errTooManyUpstreams.
func (p *upstreams) connect(ctx context.Context, addr string) (*countedConn, error) {
	if p.open.Add(1) > int64(p.maxOpen) && !p.closeOldest() {
		p.open.Add(-1)
		return nil, errTooManyUpstreams
	}
	nc, err := p.dialer.DialContext(ctx, "tcp", addr)
	if outOfDescriptors(err) {
		if err = errTooManyUpstreams; p.closeOldest() {
			nc, err = p.dialer.DialContext(ctx, "tcp", addr)
		}
	}
	if err != nil {
		p.open.Add(-1)
		return nil, err
	}
	return &countedConn{TCPConn: nc.(*net.TCPConn), release: sync.OnceFunc(func() { p.open.Add(-1) })}, nil
}

// closeOldest closes the connection that has been idle for the longest time, and
// reports whether there was one.
func (p *upstreams) closeOldest() bool {
	p.mu.Lock()
	var oldest *upstream
	for _, conns := range p.idle {
		if len(conns) > 0 && (oldest == nil || conns[0].since.Before(oldest.since)) {
			oldest = conns[0]
		}
	}
	if oldest != nil {
		p.idle[oldest.addr] = p.idle[oldest.addr][1:]
	}
	p.mu.Unlock()
	if oldest == nil {
		return false
	}
	_ = oldest.Close() // nothing is in flight on it
	return true
}

// dial makes a connection that is ready for requests.
func (p *upstreams) dial(ctx context.Context, addr string) (*upstream, error) {
	conn, err := p.connect(ctx, addr)
	if err != nil {
		return nil, err
	}
	raw := rawIO(conn.TCPConn)
	u := &upstream{Conn: conn, raw: raw, br: bufio.NewReaderSize(raw, bufferSize), addr: addr}
	u.check = func(fd uintptr) { u.checked = peek(fd) }
	if u.fd, err = conn.SyscallConn(); err != nil {
		_ = conn.Close() // it is already closed
		return nil, err
	}
	return u, nil
}

// put puts a connection without a request into the pool.
func (p *upstreams) put(u *upstream, now time.Time) {
	u.since = now
	p.mu.Lock()
	keep := !p.closed && u.br.Buffered() == 0 && len(p.idle[u.addr]) < maxIdlePerAddr
	if keep {
		p.idle[u.addr] = append(p.idle[u.addr], u)
	}
	p.mu.Unlock()
	if !keep {
		_ = u.Close() // nothing is in flight on it
	}
}

// sweep closes the connections that were idle for too long.
func (p *upstreams) sweep(now time.Time) {
	var old []*upstream
	p.mu.Lock()
	for addr, conns := range p.idle {
		n := 0
		for n < len(conns) && now.Sub(conns[n].since) >= p.idleTimeout {
			n++
		}
		old = append(old, conns[:n]...)
		if p.idle[addr] = append([]*upstream(nil), conns[n:]...); n == len(conns) {
			delete(p.idle, addr)
		}
	}
	p.mu.Unlock()
	for _, u := range old {
		_ = u.Close() // nothing is in flight on it
	}
}

// close closes all idle connections, and makes put close others.
func (p *upstreams) close() {
	p.mu.Lock()
	p.closed = true
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, conns := range idle {
		for _, u := range conns {
			_ = u.Close() // nothing is in flight on it
		}
	}
}

// await sends the pending request, if any, and waits until n bytes of the response
// are buffered. If the deadline passes before any byte is sent, the request stays
// pending.
func (u *upstream) await(n int) error {
	if u.pending != nil {
		sent, err := u.send(u.pending)
		if sent == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		u.pending, u.sent = nil, sent
		if err != nil {
			return err
		}
	}
	_, err := u.br.Peek(n)
	return err
}

// send sends b if the connection is still open. It checks every connection from the
// pool, so that no request is lost after a model server was killed. The check takes
// less than a microsecond.
func (u *upstream) send(b []byte) (int, error) {
	if s, ok := u.raw.(interface{ send([]byte) (int, error) }); ok {
		return s.send(b)
	}
	if u.reused && !u.open() {
		return 0, syscall.EPIPE
	}
	return u.Write(b)
}

// open reports, without waiting, whether the connection is open and has no
// unrequested input.
func (u *upstream) open() bool {
	// Control, because Read needs a deadline in the future, and setting one costs
	// more than the check.
	return u.fd.Control(u.check) == nil && errors.Is(u.checked, syscall.EAGAIN)
}

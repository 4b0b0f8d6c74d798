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
	// dialTimeout is generous for a Pod network and short for a client.
	dialTimeout = 2 * time.Second
	// upstreamIdle is shorter than clientIdle, the time after which our own
	// servers close a connection: then the side that sends closes first, and no
	// request meets a closing connection.
	upstreamIdle = 30 * time.Second
	// maxIdlePerAddr bounds the connections kept for reuse.
	maxIdlePerAddr = 512
)

// upstreams keeps idle HTTP/1.1 connections by address.
type upstreams struct {
	dialer net.Dialer
	keep   time.Duration
	most   int // connections that may be open, idle or not
	open   atomic.Int64
	mu     sync.Mutex
	idle   map[string][]*upstream // last used at the end
	closed bool
}

// upstream is one connection to a target.
type upstream struct {
	net.Conn
	raw    io.Writer // to the same
	br     *bufio.Reader
	addr   string
	since  time.Time // put back into the pool
	until  time.Time // read deadline that is set
	reused bool

	question []byte // the request, until it is sent
	sent     int    // how much of it was

	fd     syscall.RawConn
	look   func(fd uintptr)
	looked error // what the last look found
}

// SetReadDeadline remembers the deadline it sets.
func (u *upstream) SetReadDeadline(t time.Time) error {
	u.until = t
	return u.Conn.SetReadDeadline(t)
}

func (u *upstream) Write(b []byte) (int, error) { return u.raw.Write(b) }

func newUpstreams(keep time.Duration, most int) *upstreams {
	return &upstreams{keep: keep, most: most, dialer: net.Dialer{Timeout: dialTimeout}, idle: map[string][]*upstream{}}
}

// get returns a connection from the pool, or a new one. The other side may have
// closed one from the pool: look, or ask on it.
func (p *upstreams) get(ctx context.Context, addr string, look bool) (*upstream, error) {
	for {
		u := p.pop(addr)
		if u == nil {
			return p.dial(ctx, addr)
		}
		if time.Since(u.since) < p.keep && (!look || u.open()) {
			u.reused = true
			return u, nil
		}
		_ = u.Close() // it was of no use any more
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

// errNoTargets is the answer when there are as many connections to targets as
// there may be. That is nobody's fault but ours: no other target helps.
var errNoTargets = &Refusal{Status: http.StatusServiceUnavailable, Text: "there are too many connections to Pods", RetryAfter: time.Second}

// counted is a connection to a target.
type counted struct {
	*net.TCPConn
	ended func() // once
}

func (c *counted) Close() error {
	c.ended()
	return c.TCPConn.Close()
}

// connect makes a connection. If there are too many, or no descriptor is left,
// one that is kept for reuse is closed for it, or the error is errNoTargets.
func (p *upstreams) connect(ctx context.Context, addr string) (*counted, error) {
	if p.open.Add(1) > int64(p.most) && !p.closeOldest() {
		p.open.Add(-1)
		return nil, errNoTargets
	}
	nc, err := p.dialer.DialContext(ctx, "tcp", addr)
	if outOfDescriptors(err) {
		if err = errNoTargets; p.closeOldest() {
			nc, err = p.dialer.DialContext(ctx, "tcp", addr)
		}
	}
	if err != nil {
		p.open.Add(-1)
		return nil, err
	}
	return &counted{TCPConn: nc.(*net.TCPConn), ended: sync.OnceFunc(func() { p.open.Add(-1) })}, nil
}

// closeOldest closes the connection that has been kept for the longest time.
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

// dial makes a connection.
func (p *upstreams) dial(ctx context.Context, addr string) (*upstream, error) {
	conn, err := p.connect(ctx, addr)
	if err != nil {
		return nil, err
	}
	raw := rawIO(conn.TCPConn)
	u := &upstream{Conn: conn, raw: raw, br: bufio.NewReaderSize(raw, bufferSize), addr: addr}
	u.look = func(fd uintptr) { u.looked = peek(fd) }
	if u.fd, err = conn.SyscallConn(); err != nil {
		_ = conn.Close() // it is closed already
		return nil, err
	}
	return u, nil
}

// put takes back a connection between two responses.
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

// sweep closes what was idle for too long.
func (p *upstreams) sweep(now time.Time) {
	var old []*upstream
	p.mu.Lock()
	for addr, conns := range p.idle {
		n := 0
		for n < len(conns) && now.Sub(conns[n].since) >= p.keep {
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

// close closes all idle connections, and from now on those put back.
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

// answered sends the question, if there still is one, and waits for the first n
// bytes of the answer. After a deadline that passed before anything was sent,
// the question is still to be sent.
func (u *upstream) answered(n int) error {
	if q := u.question; q != nil {
		sent, err := u.ask(q)
		if sent == 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			return err
		}
		u.question, u.sent = nil, sent
		if err != nil {
			return err
		}
	}
	_, err := u.br.Peek(n)
	return err
}

// ask sends b on a connection that is still open. It always looks: a model
// server that was killed must not cost requests that come after. That is less
// than a microsecond.
func (u *upstream) ask(b []byte) (int, error) {
	if s, ok := u.raw.(interface{ ask([]byte) (int, error) }); ok {
		return s.ask(b)
	}
	if u.reused && !u.open() {
		return 0, syscall.EPIPE
	}
	return u.Write(b)
}

// open looks, without waiting, whether the other side closed the connection or
// sent something unasked for.
func (u *upstream) open() bool {
	// By Control: Read would want a deadline that has not passed, and to set
	// one costs more than the look.
	return u.fd.Control(u.look) == nil && errors.Is(u.looked, syscall.EAGAIN)
}

// SPDX-License-Identifier: Apache-2.0

// Package connlimit bounds the connections of a listener whose server cannot be
// asked which are idle. When there are as many as there may be, a new one takes
// the place of the oldest that never got an answer, and else of one on which
// nothing moved for a minute. If there is neither, the new one is closed: who
// opens many connections cannot end those of others.
package connlimit

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// silentFor is longer than what clients of Kubernetes leave between two pings.
const silentFor = time.Minute

// Listen returns ln with a bound.
func Listen(ln net.Listener, most int) net.Listener {
	return &listener{Listener: ln, most: most, conns: map[*conn]struct{}{}}
}

type listener struct {
	net.Listener
	most int

	mu    sync.Mutex
	conns map[*conn]struct{}
}

// Accept implements net.Listener.
func (l *listener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		c := &conn{Conn: nc, of: l}
		now := time.Now()
		c.moved.Store(now.UnixNano())
		if l.enter(c, now) {
			return c, nil
		}
		_ = nc.Close() // nothing was said on it
	}
}

// enter takes a connection in, and reports whether there is a place for it.
func (l *listener) enter(c *conn, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.conns) >= l.most {
		idle := l.idle(now)
		if idle == nil {
			return false
		}
		delete(l.conns, idle)
		_ = idle.Conn.Close() // its server learns of it by reading
	}
	l.conns[c] = struct{}{}
	return true
}

// idle returns the connection that must go first, if one may.
func (l *listener) idle(now time.Time) *conn {
	var mute, silent *conn
	earlier := func(a, b *conn) *conn {
		if b == nil || a.moved.Load() < b.moved.Load() {
			return a
		}
		return b
	}
	for c := range l.conns {
		if !c.answered.Load() {
			mute = earlier(c, mute)
		} else if now.UnixNano()-c.moved.Load() >= int64(silentFor) {
			silent = earlier(c, silent)
		}
	}
	if mute != nil {
		return mute
	}
	return silent
}

func (l *listener) leave(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

// conn notes when something moves.
type conn struct {
	net.Conn
	of       *listener
	answered atomic.Bool
	moved    atomic.Int64 // Unix nanoseconds; when it was opened if nothing did
}

// Read implements net.Conn. Who says little by little what never gets an answer
// does not become younger by it.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && c.answered.Load() {
		c.moved.Store(time.Now().UnixNano())
	}
	return n, err
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	c.answered.Store(true)
	c.moved.Store(time.Now().UnixNano())
	return c.Conn.Write(b)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.of.leave(c)
	return c.Conn.Close()
}

// SPDX-License-Identifier: Apache-2.0

// Package connlimit bounds the connections of a listener whose server does not report
// which are idle. At the limit, a new connection replaces the oldest one that never got
// an answer, or else the one that was silent for the longest time, if that is more than
// a minute. If there is neither, the new connection is closed: a client that opens many
// connections cannot close those of others.
package connlimit

import (
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// silentAfter is longer than the interval between two pings of Kubernetes clients.
const silentAfter = time.Minute

// Listen returns ln with a limit on its connections.
func Listen(ln net.Listener, limit int) net.Listener {
	return &listener{Listener: ln, limit: limit, conns: map[*conn]struct{}{}}
}

type listener struct {
	net.Listener
	limit int

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
		c := &conn{Conn: nc, listener: l}
		now := time.Now()
		c.lastByte.Store(now.UnixNano())
		if l.add(c, now) {
			return c, nil
		}
		_ = nc.Close() // nothing was sent on it
	}
}

// add adds a connection, and reports whether the limit allows it.
func (l *listener) add(c *conn, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.conns) >= l.limit {
		idle := l.idle(now)
		if idle == nil {
			return false
		}
		delete(l.conns, idle)
		_ = idle.Conn.Close() // its server's read fails
	}
	l.conns[c] = struct{}{}
	return true
}

// idle returns the connection to close first, or nil.
func (l *listener) idle(now time.Time) *conn {
	var unanswered, silent *conn
	earlier := func(a, b *conn) *conn {
		if b == nil || a.lastByte.Load() < b.lastByte.Load() {
			return a
		}
		return b
	}
	for c := range l.conns {
		if !c.answered.Load() {
			unanswered = earlier(c, unanswered)
		} else if now.UnixNano()-c.lastByte.Load() >= int64(silentAfter) {
			silent = earlier(c, silent)
		}
	}
	if unanswered != nil {
		return unanswered
	}
	return silent
}

func (l *listener) remove(c *conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.conns, c)
}

// conn records when the last byte was sent or received.
type conn struct {
	net.Conn
	listener *listener
	answered atomic.Bool
	lastByte atomic.Int64 // Unix nanoseconds; at first when it was opened
}

// Read implements net.Conn. Before the first answer, input does not count: a client
// could send it slowly for ever.
func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if n > 0 && c.answered.Load() {
		c.lastByte.Store(time.Now().UnixNano())
	}
	return n, err
}

// Write implements net.Conn.
func (c *conn) Write(b []byte) (int, error) {
	c.answered.Store(true)
	c.lastByte.Store(time.Now().UnixNano())
	return c.Conn.Write(b)
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.listener.remove(c)
	return c.Conn.Close()
}

// SPDX-License-Identifier: Apache-2.0

package node

import (
	"net"
	"sync"
)

// conns is a listener that can close all its connections. The HTTP server cannot: it forgets those
// that were upgraded to streams.
type conns struct {
	net.Listener
	mu   sync.Mutex
	open map[net.Conn]bool
}

// Accept waits for a connection and remembers it until it is closed.
func (c *conns) Accept() (net.Conn, error) {
	raw, err := c.Listener.Accept()
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.open == nil {
		c.open = map[net.Conn]bool{}
	}
	c.open[raw] = true
	return &tracked{raw, c}, nil
}

func (c *conns) closeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		_ = conn.Close()
	}
}

type tracked struct {
	net.Conn
	of *conns
}

// Close closes the connection and forgets it.
func (t *tracked) Close() error {
	t.of.mu.Lock()
	delete(t.of.open, t.Conn)
	t.of.mu.Unlock()
	return t.Conn.Close()
}

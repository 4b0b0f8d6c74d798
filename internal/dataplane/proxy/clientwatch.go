// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bufio"
	"context"
	"errors"
	"os"
	"time"
)

var longAgo = time.Unix(1, 0)

// clientWatch is a context that ends when the client closes its side of the
// connection. Only reading ahead detects that, so a clientWatch runs only while a
// request waits for longer than usual.
type clientWatch struct {
	ctx    context.Context
	cancel context.CancelFunc
	done   chan struct{}
}

// context starts the client watch, once per request.
func (c *conn) context() context.Context {
	if c.clientWatch.ctx != nil {
		return c.clientWatch.ctx
	}
	w := clientWatch{done: make(chan struct{})}
	w.ctx, w.cancel = context.WithCancel(c.server.base)
	c.clientWatch = w
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

// endClientWatch stops the client watch, so that the connection may be read
// again, and reports whether the client is still connected.
func (c *conn) endClientWatch() bool {
	w := c.clientWatch
	if w.ctx == nil {
		return true
	}
	c.clientWatch = clientWatch{}
	_ = c.nc.SetReadDeadline(longAgo) // wakes the Peek
	<-w.done
	c.setReadDeadline(time.Time{})
	present := w.ctx.Err() == nil
	w.cancel()
	return present
}

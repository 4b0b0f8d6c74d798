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

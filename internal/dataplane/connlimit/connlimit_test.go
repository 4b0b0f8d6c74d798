// SPDX-License-Identifier: Apache-2.0

package connlimit_test

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-dev/serin/internal/dataplane/connlimit"
)

// pipes is a listener without sockets, for tests with fake time.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	c, ok := <-p
	if !ok {
		return nil, net.ErrClosed
	}
	return c, nil
}
func (p pipes) Close() error   { close(p); return nil }
func (p pipes) Addr() net.Addr { return &net.TCPAddr{} }

// client is the client's end of a connection whose server echoes each byte.
type client struct{ net.Conn }

func (p pipes) open() *client {
	a, b := net.Pipe()
	p <- b
	return &client{a}
}

// asks sends a byte, and reports whether it was echoed.
func (c *client) asks() bool {
	if _, err := c.Write([]byte{1}); err != nil {
		return false
	}
	_, err := io.ReadFull(c, make([]byte, 1))
	return err == nil
}

func TestConnectionWithoutAnswerIsClosedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ln := make(pipes)
		limited := connlimit.Listen(ln, 3)
		go func() {
			for {
				nc, err := limited.Accept()
				if err != nil {
					return
				}
				go func() {
					defer func() { _ = nc.Close() }()
					_, _ = io.Copy(nc, nc)
				}()
			}
		}()
		var all []*client
		open := func() *client {
			c := ln.open()
			all = append(all, c)
			time.Sleep(time.Millisecond) // so that their ages differ
			return c
		}
		working := open()
		if !working.asks() {
			t.Fatal("the server does not answer")
		}
		time.Sleep(10 * time.Second)
		first, second := open(), open()
		for range 100 { // of a client that opens many
			open()
		}
		if first.asks() || second.asks() {
			t.Error("a connection without an answer was kept")
		}
		if !working.asks() {
			t.Error("a connection with answers was closed for one without")
		}
		talking, another := open(), open()
		if !talking.asks() || !another.asks() {
			t.Error("a new connection did not replace one without an answer")
		}
		if open().asks() {
			t.Error("the limit was exceeded")
		}
		time.Sleep(time.Minute)
		if !working.asks() || !another.asks() {
			t.Error("a connection was closed without need")
		}
		if !open().asks() {
			t.Error("no silent connection was closed for a new one")
		}
		if talking.asks() || !working.asks() || !another.asks() {
			t.Error("not the longest silent connection was closed")
		}
		for _, c := range all {
			_ = c.Close()
		}
		_ = ln.Close()
		synctest.Wait()
	})
}

// SPDX-License-Identifier: Apache-2.0

package connlimit_test

import (
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/serin-dev/serin/internal/connlimit"
)

// pipes is a listener without sockets, for tests that play with the time.
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

// client is one end, and the server answers each byte at the other.
type client struct{ net.Conn }

func (p pipes) open() *client {
	a, b := net.Pipe()
	p <- b
	return &client{a}
}

// asks sends a byte, and reports whether it came back.
func (c *client) asks() bool {
	if _, err := c.Write([]byte{1}); err != nil {
		return false
	}
	_, err := io.ReadFull(c, make([]byte, 1))
	return err == nil
}

func TestWhoSaysNothingGivesWayFirst(t *testing.T) {
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
			time.Sleep(time.Millisecond) // so that each has its age
			return c
		}
		working := open()
		if !working.asks() {
			t.Fatal("it does not answer")
		}
		time.Sleep(10 * time.Second)
		first, second := open(), open()
		for range 100 { // who opens many
			open()
		}
		if first.asks() || second.asks() {
			t.Error("a connection that never said anything was kept")
		}
		if !working.asks() {
			t.Error("a connection that works was closed for one that says nothing")
		}
		talking, another := open(), open()
		if !talking.asks() || !another.asks() {
			t.Error("a new connection finds no place among those that say nothing")
		}
		if open().asks() {
			t.Error("there are more than there may be")
		}
		time.Sleep(time.Minute)
		if !working.asks() || !another.asks() {
			t.Error("a connection was closed for nobody")
		}
		if !open().asks() {
			t.Error("none was closed for a new one, although nothing moved on it for a minute")
		}
		if talking.asks() || !working.asks() || !another.asks() {
			t.Error("another was closed than that on which nothing moved for the longest time")
		}
		for _, c := range all {
			_ = c.Close()
		}
		_ = ln.Close()
		synctest.Wait()
	})
}

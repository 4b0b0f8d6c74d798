// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"time"
)

// preface is how every HTTP/2 connection begins.
const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

// insideKey marks the requests of connections through Config.Inside.
type insideKey struct{}

// http2Side serves the HTTP/2 connections that Server accepted.
type http2Side struct {
	proxy  *Server
	server *http.Server
	ln     *handoff
	http1  *http.Transport // to targets that speak HTTP/1.1 only
	http2  *http.Transport
	detect detector
	wg     sync.WaitGroup // connections, requests, and the server's own goroutine
}

func newHTTP2Side(s *Server) *http2Side {
	side := &http2Side{
		proxy: s,
		ln:    &handoff{conns: make(chan net.Conn), done: make(chan struct{})},
		http1: transport(false, s),
		http2: transport(true, s),
	}
	reverse := &httputil.ReverseProxy{
		Rewrite:        side.rewrite,
		Transport:      side,
		FlushInterval:  -1, // immediately
		ModifyResponse: modifyResponse,
		ErrorHandler:   side.fail,
		ErrorLog:       slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
	side.server = &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { side.serve(reverse, w, req) }),
		Protocols:         new(http.Protocols),
		ReadHeaderTimeout: s.Limits.ClientHeader,
		IdleTimeout:       clientIdle,
		MaxHeaderBytes:    bufferSize,
		HTTP2:             &http.HTTP2Config{WriteByteTimeout: s.Limits.Send},
		ErrorLog:          reverse.ErrorLog,
		ConnState:         side.count,
		ConnContext: func(ctx context.Context, nc net.Conn) context.Context {
			if c, ok := nc.(*peekedConn); ok && c.inside {
				return context.WithValue(ctx, insideKey{}, true)
			}
			return ctx
		},
	}
	side.server.Protocols.SetUnencryptedHTTP2(true)
	return side
}

// beginsHTTP2 reports whether the connection begins with the HTTP/2 preface.
func (c *conn) beginsHTTP2() bool {
	b, err := c.br.Peek(1)
	if err != nil || b[0] != preface[0] {
		return false
	}
	c.setReadDeadline(after(time.Now(), c.server.Limits.ClientHeader))
	b, err = c.br.Peek(len("PRI ")) // no method begins with this
	return err == nil && strings.HasPrefix(preface, string(b))
}

func (h *http2Side) start() {
	h.wg.Go(func() {
		_ = h.server.Serve(h.ln) // stop ends it
	})
}

// take hands a connection off to the HTTP/2 server, and reports false if that has
// stopped.
func (h *http2Side) take(c *conn) bool {
	c.mu.Lock()
	c.state, c.handedOff = busy, true
	c.setReadDeadline(time.Time{})
	c.mu.Unlock()
	select {
	case h.ln.conns <- &peekedConn{Conn: c.nc, conn: c}:
		return true
	case <-h.ln.done:
		return false // no request was read
	}
}

// stop sends GOAWAY to the clients, waits for their requests until ctx ends, and
// closes all connections.
func (h *http2Side) stop(ctx context.Context) {
	if h.server.Shutdown(ctx) != nil {
		_ = h.server.Close() // ctx ended: the remaining requests are cut off
	}
	h.wg.Wait()
	h.http1.CloseIdleConnections()
	h.http2.CloseIdleConnections()
}

// count records the state of a connection.
func (h *http2Side) count(nc net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		h.wg.Add(1)
	case http.StateClosed, http.StateHijacked:
		h.proxy.conns.remove(nc.(*peekedConn).conn)
		h.wg.Done()
	case http.StateActive:
		nc.(*peekedConn).setState(busy)
	case http.StateIdle:
		nc.(*peekedConn).setState(idle)
	}
}

// handoff is a listener that returns connections which another listener accepted.
type handoff struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *handoff) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *handoff) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *handoff) Addr() net.Addr { return &net.TCPAddr{} }

// peekedConn is a connection whose first bytes are in the buffers of its conn.
type peekedConn struct {
	net.Conn
	*conn
}

func (c *peekedConn) Read(b []byte) (int, error) {
	switch {
	case c.buffers == nil:
		return c.nc.Read(b)
	case c.br.Buffered() > 0:
		return c.br.Read(b)
	}
	c.releaseBuffers() // the buffered bytes are read
	return c.nc.Read(b)
}

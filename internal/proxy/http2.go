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

// insideKey marks the requests of connections that came by Config.Inside.
type insideKey struct{}

// http2Side serves the connections that begin as HTTP/2.
type http2Side struct {
	proxy  *Server
	server *http.Server
	ln     *handoff
	plain  *http.Transport // to targets that speak HTTP/1.1 only
	http2  *http.Transport
	detect detector
	wg     sync.WaitGroup // connections, requests, and the server's own goroutine
}

func newHTTP2Side(s *Server) *http2Side {
	side := &http2Side{
		proxy: s,
		ln:    &handoff{conns: make(chan net.Conn), done: make(chan struct{})},
		plain: transport(false, s),
		http2: transport(true, s),
	}
	reverse := &httputil.ReverseProxy{
		Rewrite:        side.rewrite,
		Transport:      side,
		FlushInterval:  -1, // at once
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

// beginsHTTP2 looks whether the connection begins as HTTP/2.
func (c *conn) beginsHTTP2() bool {
	b, err := c.br.Peek(1)
	if err != nil || b[0] != preface[0] {
		return false
	}
	c.setReadDeadline(after(time.Now(), c.server.Limits.ClientHeader))
	b, err = c.br.Peek(len("PRI ")) // no other method begins so
	return err == nil && strings.HasPrefix(preface, string(b))
}

func (h *http2Side) start() {
	h.wg.Go(func() {
		_ = h.server.Serve(h.ln) // ends with stop
	})
}

// take gives a connection to the HTTP/2 server, unless that takes no more.
func (h *http2Side) take(c *conn) bool {
	c.mu.Lock()
	c.state, c.given = busy, true
	c.setReadDeadline(time.Time{})
	c.mu.Unlock()
	select {
	case h.ln.conns <- &peekedConn{Conn: c.nc, conn: c}:
		return true
	case <-h.ln.done:
		return false // no request was read
	}
}

// stop tells the clients to go elsewhere, waits for their requests until ctx
// ends, and closes everything.
func (h *http2Side) stop(ctx context.Context) {
	if h.server.Shutdown(ctx) != nil {
		_ = h.server.Close() // what is left is cut off, as it must be
	}
	h.wg.Wait()
	h.plain.CloseIdleConnections()
	h.http2.CloseIdleConnections()
}

// count follows the states of a connection.
func (h *http2Side) count(nc net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		h.wg.Add(1)
	case http.StateClosed, http.StateHijacked:
		h.proxy.conns.leave(nc.(*peekedConn).conn)
		h.wg.Done()
	case http.StateActive:
		nc.(*peekedConn).rest(busy)
	case http.StateIdle:
		nc.(*peekedConn).rest(idle)
	}
}

// handoff is a listener for connections that another one accepted.
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

// peekedConn is a connection whose first bytes were looked at.
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
	c.give() // what was looked at is read
	return c.nc.Read(b)
}

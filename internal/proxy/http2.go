// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
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

// transport returns a client for targets, with or without HTTP/2.
func transport(http2 bool, s *Server) *http.Transport {
	t := &http.Transport{
		Protocols:          new(http.Protocols),
		DisableCompression: true, // pass through what there is
		IdleConnTimeout:    s.Idle,
		MaxIdleConns:       maxIdlePerAddr,
		HTTP2:              &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
	}
	t.MaxIdleConnsPerHost = maxIdlePerAddr
	t.Protocols.SetHTTP1(!http2)
	t.Protocols.SetUnencryptedHTTP2(http2)
	t.DialContext = func(ctx context.Context, _, addr string) (net.Conn, error) {
		conn, err := s.upstreams.connect(ctx, addr)
		refused := (*Refusal)(nil)
		switch {
		case err == nil:
			return conn, nil
		case errors.As(err, &refused):
			return nil, refused
		}
		return nil, connectError{err}
	}
	return t
}

// connectError means that nothing was sent.
type connectError struct{ error }

func (e connectError) Unwrap() error { return e.error }

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

// call is a request on its way through the ReverseProxy.
type call struct {
	r       Request
	attempt Attempt
	stream  *stream
	target  *url.URL // its path and query go upstream
	cancel  context.CancelCauseFunc
}

type callKey struct{}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}

// serve is the HTTP/2 counterpart of conn.one.
func (h *http2Side) serve(reverse http.Handler, w http.ResponseWriter, req *http.Request) {
	h.wg.Add(1)
	defer h.wg.Done()
	ctx, cancel := context.WithCancelCause(req.Context())
	defer cancel(nil)
	remote, _, err := net.SplitHostPort(req.RemoteAddr)
	if err != nil {
		remote = req.RemoteAddr
	}
	c := &call{attempt: h.proxy.Policy.NewAttempt(), target: req.URL, cancel: cancel}
	r := &c.r
	*r = Request{
		Method: req.Method, Host: req.Host, Path: req.RequestURI, Protocol: req.Proto,
		Remote: remote, Inside: req.Context().Value(insideKey{}) != nil, Start: time.Now(),
		header: req.Header.Get, context: func() context.Context { return ctx },
	}
	if refused := checkRequest(req.Method, []byte(req.RequestURI), []byte(req.Host)); refused != nil {
		h.refuse(w, req, r, refused)
		c.attempt.Done(r)
		return
	}
	defer func() {
		if r.Err == nil {
			r.Err = context.Cause(ctx)
		}
		c.attempt.Done(r)
	}()
	s := newStream(&h.proxy.Limits, w, cancel)
	c.stream = s
	defer s.close()
	s.grpc = isGRPC(req)
	s.watch()
	if req.ContentLength != 0 {
		err = s.readFirst(ctx, req)
		r.Start = time.Now()
	}
	if err == nil {
		r.Target, err = c.attempt.Admit(r)
	}
	if path := r.Target.Path; err == nil && path != "" {
		c.target, err = url.ParseRequestURI(path)
	}
	switch {
	case req.Context().Err() != nil:
		r.Status, r.Err = StatusClientGone, errClientGone
	case err != nil:
		h.refuse(w, req, r, err)
	default:
		s.place(time.Since(r.Start))
		ctx = context.WithValue(ctx, callKey{}, c)
		reverse.ServeHTTP(&countingWriter{ResponseWriter: w, r: r, stream: s}, req.WithContext(ctx))
	}
}

func (h *http2Side) refuse(w http.ResponseWriter, req *http.Request, r *Request, err error) {
	if r.Target.Revision != "" {
		w.Header().Set(RevisionHeader, r.Target.Revision)
	}
	if send := h.proxy.Limits.Send; send > 0 { // what is not read by then is reset
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(send))
	}
	h.proxy.refuse(r, err).writeTo(w, req)
}

// rewrite keeps the request as it came, X-Forwarded headers and unusual queries
// included, which ReverseProxy would drop.
func (h *http2Side) rewrite(p *httputil.ProxyRequest) {
	c := callOf(p.In.Context())
	r := &c.r
	p.Out.URL = &url.URL{
		Scheme: "http", Host: r.Target.Addr,
		Path: c.target.Path, RawPath: c.target.RawPath, RawQuery: c.target.RawQuery, ForceQuery: c.target.ForceQuery,
	}
	cleanTrailer(p.In.Trailer)   // of names; of values when they come, with the body's end
	p.Out.Trailer = p.In.Trailer // so not a copy
	for name, values := range p.In.Header {
		if name == "Forwarded" || strings.HasPrefix(name, "X-Forwarded-") {
			p.Out.Header[name] = values
		}
	}
	if !h.proxy.Forwarded {
		return
	}
	before := append(p.In.Header.Values("X-Forwarded-For"), r.Remote)
	p.Out.Header.Set("X-Forwarded-For", strings.Join(before, ", "))
	if p.In.Header.Get("X-Forwarded-Proto") == "" {
		p.Out.Header.Set("X-Forwarded-Proto", "http")
	}
	if p.In.Header.Get("X-Forwarded-Host") == "" {
		p.Out.Header.Set("X-Forwarded-Host", r.Host)
	}
}

// RoundTrip sends a request to its target, or to another one if no connection
// can be made.
func (h *http2Side) RoundTrip(req *http.Request) (*http.Response, error) {
	c := callOf(req.Context())
	timer := time.AfterFunc(c.r.Target.timeout(), func() { c.cancel(os.ErrDeadlineExceeded) })
	defer timer.Stop()
	body := req.Body
	for {
		sent := *req
		sent.URL.Host = c.r.Target.Addr
		if body != nil {
			sent.Body = io.NopCloser(body) // a failed connect must not close it
		}
		response, err := h.transportFor(&sent).RoundTrip(&sent)
		if failed := (connectError{}); !errors.As(err, &failed) || req.Context().Err() != nil {
			return response, err
		}
		next, refused := c.attempt.Elsewhere(&c.r)
		if refused != nil {
			return nil, nowhere(c.r.Target, err, refused)
		}
		c.r.Target = next
	}
}

// transportFor keeps HTTP/2 as it is, unless the target cannot speak it.
func (h *http2Side) transportFor(req *http.Request) *http.Transport {
	if h.proxy.DetectH2 && !h.detect.http2(req.URL.Host) {
		callOf(req.Context()).stream.noGRPC()
		return h.plain
	}
	return h.http2
}

func modifyResponse(response *http.Response) error {
	c := callOf(response.Request.Context())
	r := &c.r
	r.Status = response.StatusCode
	c.stream.answer()
	response.Body = &answerBody{response.Body, c.stream, response}
	if r.Target.Revision != "" {
		response.Header.Set(RevisionHeader, r.Target.Revision)
	}
	// A gRPC error without a message has its status in the head, which must
	// then end the stream. ReverseProxy does not promise that, but trailers
	// arrive in any case.
	for _, name := range [...]string{"Grpc-Status", "Grpc-Message", "Grpc-Status-Details-Bin"} {
		if values, ok := response.Header[name]; ok {
			if response.Trailer == nil {
				response.Trailer = http.Header{}
			}
			response.Trailer[name] = values
			delete(response.Header, name)
		}
	}
	cleanTrailer(response.Trailer)
	return nil
}

// fail answers when there is no response.
func (h *http2Side) fail(w http.ResponseWriter, req *http.Request, err error) {
	r := &callOf(req.Context()).r
	cause := context.Cause(req.Context())
	refused := (*Refusal)(nil)
	switch {
	case errors.Is(cause, os.ErrDeadlineExceeded):
		h.refuse(w, req, r, timedOut(r.Target))
	case errors.As(cause, &refused), errors.As(err, &refused):
		h.refuse(w, req, r, refused)
	case cause != nil:
		r.Status, r.Err = StatusClientGone, errClientGone
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		h.refuse(w, req, r, broken(r.Target, err))
	default: // net/http's errors quote what came, which is not for clients
		h.proxy.Log.Debug("no valid response", "target", r.Target.Addr, "err", err)
		h.refuse(w, req, r, broken(r.Target, errors.New("it is not valid HTTP")))
	}
}

// countingWriter counts the bytes of the body, and how long they take.
type countingWriter struct {
	http.ResponseWriter
	r      *Request
	stream *stream
}

// Write writes pieces, so that a client that reads some of b is seen to.
func (w *countingWriter) Write(b []byte) (int, error) {
	total := 0
	for piece := range slices.Chunk(b, bufferSize/2) {
		n, err := w.stream.write(piece, w.ResponseWriter.Write)
		total += n
		w.r.Sent += int64(n)
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// FlushError is what http.ResponseController looks for.
func (w *countingWriter) FlushError() error {
	_, err := w.stream.write(nil, func([]byte) (int, error) {
		return 0, http.NewResponseController(w.ResponseWriter).Flush()
	})
	return err
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

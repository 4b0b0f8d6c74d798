// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"
)

// transport returns a client for targets that speaks either HTTP/2 or HTTP/1.1.
func transport(http2 bool, s *Server) *http.Transport {
	t := &http.Transport{
		Protocols:          new(http.Protocols),
		DisableCompression: true, // relay the encoding of the target
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

// connectError means that no connection was made, so nothing was sent.
type connectError struct{ error }

func (e connectError) Unwrap() error { return e.error }

// http2Exchange is one HTTP/2 request and its response, on the way through the
// ReverseProxy.
type http2Exchange struct {
	r       Request
	attempt Attempt
	stream  *stream
	url     *url.URL // its path and query are sent to the target
	cancel  context.CancelCauseFunc
}

type exchangeKey struct{}

func exchangeOf(ctx context.Context) *http2Exchange {
	x, _ := ctx.Value(exchangeKey{}).(*http2Exchange)
	return x
}

// serve answers one request, as conn.serveRequest does for HTTP/1.
func (h *http2Side) serve(reverse http.Handler, w http.ResponseWriter, req *http.Request) {
	h.wg.Add(1)
	defer h.wg.Done()
	ctx, cancel := context.WithCancelCause(req.Context())
	defer cancel(nil)
	remote, _, err := net.SplitHostPort(req.RemoteAddr)
	if err != nil {
		remote = req.RemoteAddr
	}
	x := &http2Exchange{attempt: h.proxy.Policy.NewAttempt(), url: req.URL, cancel: cancel}
	r := &x.r
	*r = Request{
		Method: req.Method, Host: req.Host, Path: req.RequestURI, Protocol: req.Proto,
		Remote: remote, Inside: req.Context().Value(insideKey{}) != nil, Start: time.Now(),
		header: req.Header.Get, context: func() context.Context { return ctx },
	}
	if refused := checkRequest(req.Method, []byte(req.RequestURI), []byte(req.Host)); refused != nil {
		h.refuse(w, req, r, refused)
		x.attempt.Done(r)
		return
	}
	defer func() {
		if r.Err == nil {
			r.Err = context.Cause(ctx)
		}
		x.attempt.Done(r)
	}()
	s := newStream(&h.proxy.Limits, w, cancel)
	x.stream = s
	defer s.close()
	s.grpc = r.GRPC()
	s.startChecks()
	if req.ContentLength != 0 {
		err = s.readFirst(ctx, req)
		r.Start = time.Now()
	}
	if err == nil {
		r.Target, err = x.attempt.Admit(r)
	}
	if path := r.Target.Path; err == nil && path != "" {
		x.url, err = url.ParseRequestURI(path)
	}
	switch {
	case req.Context().Err() != nil:
		r.Status, r.Err = StatusClientGone, errClientGone
	case err != nil:
		h.refuse(w, req, r, err)
	default:
		s.admitted(time.Since(r.Start))
		ctx = context.WithValue(ctx, exchangeKey{}, x)
		reverse.ServeHTTP(&countingWriter{ResponseWriter: w, r: r, stream: s}, req.WithContext(ctx))
	}
}

func (h *http2Side) refuse(w http.ResponseWriter, req *http.Request, r *Request, err error) {
	if r.Target.Revision != "" {
		w.Header().Set(RevisionHeader, r.Target.Revision)
	}
	if send := h.proxy.Limits.Send; send > 0 { // the stream is reset if the client does not read the answer
		_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(send))
	}
	h.proxy.refuse(r, err).writeTo(w, req)
}

// rewrite keeps the request as received, with the X-Forwarded headers and unusual
// queries that ReverseProxy would drop.
func (h *http2Side) rewrite(p *httputil.ProxyRequest) {
	x := exchangeOf(p.In.Context())
	r := &x.r
	p.Out.URL = &url.URL{
		Scheme: "http", Host: r.Target.Addr,
		Path: x.url.Path, RawPath: x.url.RawPath, RawQuery: x.url.RawQuery, ForceQuery: x.url.ForceQuery,
	}
	cleanTrailer(p.In.Trailer)   // the names; the values arrive after the body
	p.Out.Trailer = p.In.Trailer // not a copy, so that the values appear in it
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

// RoundTrip sends a request to its target, or to the next one if no connection
// can be made.
func (h *http2Side) RoundTrip(req *http.Request) (*http.Response, error) {
	x := exchangeOf(req.Context())
	first := x.r.Target
	timer := time.AfterFunc(first.timeout(), func() { x.cancel(timedOut(first)) })
	defer timer.Stop()
	body := req.Body
	for {
		sent := *req
		sent.URL.Host = x.r.Target.Addr
		if body != nil {
			sent.Body = io.NopCloser(body) // a failed connect must not close the body
		}
		response, err := h.transportFor(&sent).RoundTrip(&sent)
		if failed := (connectError{}); !errors.As(err, &failed) || req.Context().Err() != nil {
			return response, err
		}
		next, refused := x.attempt.Elsewhere(&x.r)
		if refused != nil {
			return nil, nowhere(x.r.Target, err, refused)
		}
		x.r.Target = next
	}
}

// transportFor returns the HTTP/2 transport, unless the target does not speak
// HTTP/2.
func (h *http2Side) transportFor(req *http.Request) *http.Transport {
	if h.proxy.DetectH2 && !h.detect.http2(req.URL.Host) {
		exchangeOf(req.Context()).stream.notGRPC()
		return h.http1
	}
	return h.http2
}

func modifyResponse(response *http.Response) error {
	x := exchangeOf(response.Request.Context())
	r := &x.r
	r.Status = response.StatusCode
	x.stream.responseBegan()
	response.Body = &answerBody{response.Body, x.stream, response}
	if r.Target.Revision != "" {
		response.Header.Set(RevisionHeader, r.Target.Revision)
	}
	// A gRPC "Trailers-Only" response has its status in the head, and the head
	// must end the stream. ReverseProxy does not guarantee that, so the status
	// moves to the trailers.
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

// fail answers a request without a response.
func (h *http2Side) fail(w http.ResponseWriter, req *http.Request, err error) {
	r := &exchangeOf(req.Context()).r
	cause := context.Cause(req.Context())
	refused := (*Refusal)(nil)
	switch {
	case errors.As(cause, &refused), errors.As(err, &refused):
		h.refuse(w, req, r, refused)
	case cause != nil:
		r.Status, r.Err = StatusClientGone, errClientGone
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		h.refuse(w, req, r, broken(r.Target, err))
	default: // net/http's errors quote the target's bytes, which clients must not see
		h.proxy.Log.Debug("no valid response", "target", r.Target.Addr, "err", err)
		h.refuse(w, req, r, broken(r.Target, errors.New("it is not valid HTTP")))
	}
}

// countingWriter counts the bytes of the response's body and times each write.
type countingWriter struct {
	http.ResponseWriter
	r      *Request
	stream *stream
}

// Write writes b in pieces, so that the stream sees the progress of a slow client.
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

// FlushError is the Flush of http.ResponseController.
func (w *countingWriter) FlushError() error {
	_, err := w.stream.write(nil, func([]byte) (int, error) {
		return 0, http.NewResponseController(w.ResponseWriter).Flush()
	})
	return err
}

// answerBody is a response's body.
type answerBody struct {
	io.ReadCloser
	stream   *stream
	response *http.Response
}

func (a *answerBody) Read(b []byte) (int, error) {
	n, err := a.ReadCloser.Read(b)
	if n > 0 {
		a.stream.touch()
	}
	if errors.Is(err, io.EOF) {
		if r := &exchangeOf(a.response.Request.Context()).r; r.Status == http.StatusOK && r.GRPC() {
			r.Status = callStatus(a.response.Trailer)
		}
		cleanTrailer(a.response.Trailer)
	}
	return n, err
}

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/serin-dev/serin/internal/model/frame"
)

// Methods that a page, and a verb of a model, allow.
const (
	readable = "GET, HEAD, OPTIONS"
	callable = "POST, OPTIONS"
	anything = "GET, HEAD, POST, OPTIONS"
)

// handle routes a request. Predictions are checked for first.
func (s *Server) handle(ctx *fasthttp.RequestCtx) {
	path := ctx.Path()
	for len(path) > 1 && path[len(path)-1] == '/' { // KServe redirects to the path without
		path = path[:len(path)-1]
	}
	if rest, ok := bytes.CutPrefix(path, []byte(modelsPath+"/")); ok && bytes.IndexByte(rest, '/') < 0 {
		s.handleModel(ctx, rest)
		return
	}
	get := s.page(string(path))
	switch {
	case get == nil && bytes.HasPrefix(path, []byte(v2Path+"/")):
		s.handleV2(ctx, string(path))
	case ctx.IsOptions() && string(ctx.RequestURI()) == "*":
		options(ctx, anything)
	case get == nil:
		s.unspoken(ctx)
	case ctx.IsOptions():
		options(ctx, readable)
	case !ctx.IsGet() && !ctx.IsHead():
		notAllowed(ctx, readable)
	default:
		get(ctx)
	}
}

// page returns the handler of GET requests for a path, or nil.
func (s *Server) page(path string) fasthttp.RequestHandler {
	switch path {
	case "/":
		return func(ctx *fasthttp.RequestCtx) { answer(ctx, http.StatusOK, `{"status":"alive"}`) }
	case modelsPath, v2Models:
		return func(ctx *fasthttp.RequestCtx) { answer(ctx, http.StatusOK, `{"models":[%s]}`, quote(s.name)) }
	case v2Path:
		return func(ctx *fasthttp.RequestCtx) { serveBytes(ctx, "application/json", serverMetadata()) }
	case "/v2/health/live":
		return func(ctx *fasthttp.RequestCtx) { answer(ctx, http.StatusOK, `{"live":true}`) }
	case "/v2/health/ready":
		return func(ctx *fasthttp.RequestCtx) { answer(ctx, s.readiness(), `{"ready":%t}`, !s.draining.Load()) }
	case "/metrics":
		return s.metrics.handler
	case "/openapi.json":
		return func(ctx *fasthttp.RequestCtx) { serveBytes(ctx, "application/json", openAPI) }
	case "/docs":
		if s.docs {
			return s.serveDocs
		}
	}
	return nil
}

func (s *Server) readiness() int {
	if s.draining.Load() {
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

// decoded returns the body without its Content-Encoding. If it fails, it answers
// the request.
func decoded(ctx *fasthttp.RequestCtx) ([]byte, bool) {
	encodings := ctx.Request.Header.PeekAll("Content-Encoding")
	encoding := string(bytes.ToLower(bytes.TrimSpace(bytes.Join(encodings, []byte{','}))))
	switch encoding {
	case "", "identity":
		return ctx.PostBody(), true
	case "gzip", "x-gzip":
	default:
		ctx.Response.Header.Set("Accept-Encoding", "gzip")
		fail(ctx, http.StatusUnsupportedMediaType, "The request body's Content-Encoding is not supported: send gzip, or none.")
		return nil, false
	}
	body, err := ctx.Request.BodyGunzipWithLimit(maxBody)
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		tooLarge(ctx)
	case err != nil:
		fail(ctx, http.StatusBadRequest, "The request body is not gzip, as its Content-Encoding says.")
	}
	return body, err == nil
}

// batch returns memory for a request.
func (s *Server) batch() *batch {
	if b, ok := s.batches.Get().(*batch); ok {
		return b
	}
	return &batch{schema: s.schema}
}

// ask asks the model for the answer to b.x, which b.result gets, unless stop returns an
// error. It returns the
// status of an error. A request that the model refuses is a 400. KServe says 500 for
// many of them, which would count as errors of the model's revision.
func (s *Server) ask(stop func() error, b *batch) (int, error) {
	err := s.model.Predict(stop, s.method, &b.result, b.x)
	if _, ok := errors.AsType[frame.InputError](err); ok {
		return http.StatusBadRequest, err
	}
	return http.StatusInternalServerError, err
}

// recycle keeps a batch for the next request, unless one large request would
// pin its memory for good.
func (s *Server) recycle(b *batch) {
	const most = 1 << 16
	clear(b.x.Texts) // they lie in the body
	b.forget()
	if max(cap(b.x.Data), cap(b.x.Texts), cap(b.out), cap(b.result.Values), cap(b.raw), b.message.Cap(), b.largest(), b.largestInput()) <= most {
		s.batches.Put(b)
	}
}

func serveBytes(ctx *fasthttp.RequestCtx, contentType string, body []byte) {
	ctx.SetContentType(contentType)
	ctx.SetBody(body) // copies
}

func answer(ctx *fasthttp.RequestCtx, code int, format string, args ...any) {
	ctx.SetStatusCode(code)
	serveBytes(ctx, "application/json", fmt.Appendf(nil, format, args...))
}

func fail(ctx *fasthttp.RequestCtx, code int, message string) {
	answer(ctx, code, `{"error":%s}`, quote(message))
}

func notAllowed(ctx *fasthttp.RequestCtx, allowed string) {
	ctx.Response.Header.Set("Allow", allowed)
	answer(ctx, http.StatusMethodNotAllowed, `{"detail":"Method Not Allowed"}`)
}

func options(ctx *fasthttp.RequestCtx, allowed string) {
	ctx.Response.Header.Set("Allow", allowed)
	ctx.SetStatusCode(http.StatusNoContent)
}

// tooLarge is the answer to a body of more than maxBody bytes.
func tooLarge(ctx *fasthttp.RequestCtx) {
	fail(ctx, http.StatusRequestEntityTooLarge, "The request body is larger than "+strconv.Itoa(maxBody)+" bytes.")
}

// expect answers "Expect: 100-continue", with which curl asks before it sends
// a large body.
func expect(ctx *fasthttp.RequestCtx) int {
	if ctx.Request.Header.ContentLength() > maxBody {
		tooLarge(ctx)
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusContinue
}

// refuse answers requests that could not be read. Its answers do not contain
// fasthttp's errors, which quote headers, and so possibly secrets.
func refuse(ctx *fasthttp.RequestCtx, err error) {
	_, header := errors.AsType[*fasthttp.ErrSmallBuffer](err)
	late, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		discard(ctx)
		tooLarge(ctx)
	case header:
		fail(ctx, http.StatusRequestHeaderFieldsTooLarge, "The request header is too large.")
	case ok && late.Timeout():
		fail(ctx, http.StatusRequestTimeout, "The request did not arrive in time.")
	default:
		fail(ctx, http.StatusBadRequest, "The request is not valid HTTP/1.1.")
	}
}

// discard reads what a client still sends. Closing the connection earlier would
// reset it, and the client would not see the answer.
func discard(ctx *fasthttp.RequestCtx) {
	const (
		most    = 8 * maxBody
		silence = 100 * time.Millisecond
	)
	conn, buf := ctx.Conn(), make([]byte, 64<<10)
	for n := 0; n < most; {
		if conn.SetReadDeadline(time.Now().Add(silence)) != nil {
			return
		}
		k, err := io.ReadFull(conn, buf)
		if err != nil {
			return
		}
		n += k
	}
}

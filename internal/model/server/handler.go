// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

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

var errPanicked = errors.New("the model failed on this request: the log of the model server says where")

// ask asks the model for the answer to b.x, which b.result gets, unless stop returns an
// error. It returns the status of an error. A request that the model refuses is a 400.
// KServe says 500 for many of them, which would count as errors of the model's revision.
func (s *Server) ask(stop func() error, b *batch) (status int, err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("the model panicked: this is a bug in Serin", "model", s.name, "class", s.model.Class(), "panic", p, "stack", string(debug.Stack()))
			status, err = http.StatusInternalServerError, errPanicked
		}
	}()
	if err := s.reply(b, b.x.Rows, s.output.Width, s.cell); err != nil {
		return 0, err
	}
	err = s.model.Predict(stop, s.method, &b.result, b.x)
	if _, ok := errors.AsType[frame.InputError](err); ok {
		return http.StatusBadRequest, err
	}
	b.labels, b.tensors = s.labels, s.tensors
	if err != nil || !b.result.Output.Open {
		return http.StatusInternalServerError, err
	}
	if b.labels, err = encodeLabels(b.result.Output); err != nil {
		return http.StatusInternalServerError, err
	}
	b.tensors = b.tensors.of(b.result.Output, b.labels)
	return 0, s.reply(b, b.result.Rows, b.result.Output.Width, cellBytes(b.labels, b.tensors.labels, b.tensors.raw))
}

// ready answers whether the model is ready, in V1 and V2.
func (s *Server) ready(ctx *fasthttp.RequestCtx) {
	if s.draining.Load() {
		fail(ctx, http.StatusServiceUnavailable, fmt.Sprintf("Model with name %s is not ready.", s.name))
		return
	}
	answer(ctx, http.StatusOK, `{"name":%s,"ready":true}`, quote(s.name))
}

func noModel(ctx *fasthttp.RequestCtx, name string) {
	fail(ctx, http.StatusNotFound, fmt.Sprintf("Model with name %s does not exist.", name))
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

// reject answers a request with an error. A refusal has a status of its own.
func reject(ctx *fasthttp.RequestCtx, status int, err error) {
	if r, ok := errors.AsType[*refusal](err); ok {
		status = r.status
	}
	switch status {
	case http.StatusUnsupportedMediaType:
		ctx.Response.Header.Set("Accept-Encoding", "gzip")
	case http.StatusServiceUnavailable:
		ctx.Response.Header.Set("Retry-After", "1")
	}
	fail(ctx, status, err.Error())
}

// expect answers "Expect: 100-continue", with which curl asks before it sends
// a large body.
func (s *Server) expect(ctx *fasthttp.RequestCtx) int {
	if int64(ctx.Request.Header.ContentLength()) > s.most {
		fail(ctx, http.StatusRequestEntityTooLarge, s.tooLarge().Error())
		return http.StatusRequestEntityTooLarge
	}
	return http.StatusContinue
}

// refuse answers requests whose header could not be read.
func refuse(ctx *fasthttp.RequestCtx, err error) {
	if _, ok := errors.AsType[*fasthttp.ErrSmallBuffer](err); ok {
		fail(ctx, http.StatusRequestHeaderFieldsTooLarge, "The request header is too large.")
		return
	}
	reject(ctx, 0, unreadable(err))
}

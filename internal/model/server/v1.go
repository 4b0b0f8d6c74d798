// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"net/http"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

// KServe's V1 protocol. v1_request.go reads its requests.

const modelsPath = "/v1/models"

// handleModel answers /v1/models/{name} and /v1/models/{name}:{verb}.
func (s *Server) handleModel(ctx *fasthttp.RequestCtx, rest []byte) {
	name, verb := rest, ""
	for _, v := range []string{":predict", ":explain"} {
		if n, ok := bytes.CutSuffix(rest, []byte(v)); ok {
			name, verb = n, v
		}
	}
	allowed, ok := callable, ctx.IsPost()
	if verb == "" {
		allowed, ok = readable, ctx.IsGet() || ctx.IsHead()
	}
	switch {
	case ctx.IsOptions():
		options(ctx, allowed)
	case !ok:
		notAllowed(ctx, allowed)
	case string(name) != s.name:
		noModel(ctx, string(name))
	case verb == ":explain":
		fail(ctx, http.StatusNotFound, "This model cannot explain.")
	case verb == ":predict":
		s.predict(ctx)
	default:
		s.ready(ctx)
	}
}

// predict answers a prediction.
func (s *Server) predict(ctx *fasthttp.RequestCtx) {
	b := s.batch(ctx.Request.Header.ContentLength())
	defer s.recycle(b)

	times := stopwatch{time.Now()}
	event, err := eventModeOf(&ctx.Request.Header)
	if e := s.body(ctx, b); e != nil {
		err = e
	} else if err == nil {
		err = b.parse(b.body)
	}
	if err != nil && event == binaryEvent {
		err = inputError(strings.Replace(err.Error(), unrecognized, "Failed to decode or parse binary json cloudevent: ", 1))
	}
	if err != nil {
		reject(ctx, http.StatusBadRequest, err)
		return
	}
	times.lap(s.metrics.preprocess)

	if code, err := s.ask(func() error { return gone(ctx.Conn()) }, b); err != nil {
		reject(ctx, code, err)
		return
	}
	times.lap(s.metrics.predict)
	b.out = append(b.out[:0], `{"predictions":`...)
	b.out = append(appendResult(b.out, &b.result, b.labels), '}')
	if event == noEvent {
		serve(ctx, "application/json", b)
	} else {
		s.answerEvent(ctx, event, b.body, b.out)
	}
	times.lap(s.metrics.postprocess)
}

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"

	"github.com/valyala/fasthttp"
)

// Loading is what a model that another program runs tells the server.
type Loading struct {
	// Progress tells what takes time, in a few words.
	Progress func(string)
	// Fail ends the server, because the program has ended.
	Fail func(error)
}

// loaded returns a server whose model is loaded.
func loaded(ctx context.Context, cfg Config, fail func(error)) (*Server, error) {
	if cfg.Load == nil {
		return New(ctx, cfg)
	}
	var latest atomic.Value
	latest.Store("loading the model")
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.Port)))
	if err != nil {
		return nil, err
	}
	defer excuse(ln, cfg, func() string { return latest.Load().(string) })()
	model, err := cfg.Load(ctx, Loading{
		Progress: func(what string) { latest.Store(what) },
		Fail:     fail,
	})
	if err != nil {
		return nil, err
	}
	return of(model, cfg)
}

// excuse answers all requests with 503 and what takes so long, until it is stopped. A
// readiness probe by HTTP shows that.
func excuse(ln net.Listener, cfg Config, what func() string) (stop func()) {
	srv := &fasthttp.Server{
		Handler: func(ctx *fasthttp.RequestCtx) {
			fail(ctx, http.StatusServiceUnavailable, fmt.Sprintf("Model with name %s is not ready: %s", cfg.ModelName, what()))
		},
		ReadTimeout:           readTimeout,
		NoDefaultServerHeader: true,
		CloseOnShutdown:       true,
		Logger:                discreet{cfg.Log},
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = srv.Serve(ln)
	}()
	return func() {
		_ = srv.Shutdown()
		_ = ln.Close()
		<-served
	}
}

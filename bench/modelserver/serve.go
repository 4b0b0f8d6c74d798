// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/serin-dev/serin/internal/model/server"
)

const (
	question   = `{"instances":[[6.8,2.8,4.8,1.4],[6.0,3.4,4.5,1.6]]}`
	prediction = `{"predictions":[1,1]}`

	roleVariable  = "SERIN_BENCH_ROLE"
	modelVariable = "SERIN_BENCH_MODEL"
	constantRole  = "constant"
	modelRole     = "iris"
)

// serve plays a role, in a child process of this program.
func serve(ctx context.Context, role string) error {
	var lc net.ListenConfig
	ln, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if role == constantRole {
		return serveConstant(ctx, ln)
	}
	s, err := server.New(ctx, server.Config{
		ModelName: "m",
		ModelDir:  os.Getenv(modelVariable),
		Log:       slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	return s.Serve(ctx, ln, nil)
}

// serveConstant answers a constant. It has those settings of the model server
// that cost time.
func serveConstant(ctx context.Context, ln net.Listener) error {
	srv := &fasthttp.Server{
		Handler: func(ctx *fasthttp.RequestCtx) {
			ctx.SetContentType("application/json")
			ctx.SetBodyString(prediction)
		},
		ReadTimeout:           time.Minute,
		IdleTimeout:           time.Minute,
		NoDefaultServerHeader: true,
		NoDefaultContentType:  true,
		CloseOnShutdown:       true,
	}
	fmt.Println(ln.Addr())
	served := make(chan error, 1)
	go func() { served <- srv.Serve(ln) }()
	<-ctx.Done()
	if err := srv.Shutdown(); err != nil {
		return err
	}
	return <-served
}

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strconv"
)

// listenGRPC opens the port where KServe's server speaks gRPC. Without it, clients get
// a poorer answer, so another program may have the port.
func listenGRPC(ctx context.Context, cfg Config) net.Listener {
	if cfg.NoGRPC {
		return nil
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(cfg.Host, strconv.Itoa(cfg.GRPCPort)))
	if err != nil {
		cfg.Log.Warn("clients of gRPC get no answer", "err", err)
		return nil
	}
	return ln
}

// refuseCalls answers calls on ln until the returned function is called.
func (s *Server) refuseCalls(ln net.Listener) (stop func()) {
	if ln == nil {
		return func() {}
	}
	srv := &http.Server{
		Handler:           http.HandlerFunc(s.unimplemented),
		Protocols:         new(http.Protocols),
		ReadHeaderTimeout: readTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	srv.Protocols.SetUnencryptedHTTP2(true)
	served := make(chan struct{})
	go func() {
		defer close(served)
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.log.Warn("clients of gRPC get no more answers", "err", err)
		}
	}()
	return func() {
		_ = srv.Close() // every call is answered at once
		<-served
	}
}

// unimplemented answers a call with a status and no message.
func (s *Server) unimplemented(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", grpcType)
	w.Header().Set("Grpc-Status", grpcUnimplemented)
	w.Header().Set("Grpc-Message", s.noGRPC())
	w.WriteHeader(http.StatusOK)
}

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/interop/grpc_testing"
	"google.golang.org/grpc/status"
)

func TestCallsAreRefusedWithASentence(t *testing.T) {
	listen := func() net.Listener {
		ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return ln
	}
	s, err := New(t.Context(), Config{ModelName: "100% m", ModelDir: folder(t, iris), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	calls, done := listen(), make(chan error)
	go func() { done <- s.Serve(ctx, listen(), calls) }()

	conn, err := grpc.NewClient(calls.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	err = conn.Invoke(t.Context(), "/inference.GRPCInferenceService/ServerLive", &grpc_testing.Empty{}, &grpc_testing.Empty{})
	want := "This server does not speak gRPC. Use the V1 protocol: POST /v1/models/100%25%20m:predict."
	if got := status.Convert(err); got.Code() != codes.Unimplemented || got.Message() != want {
		t.Errorf("got %v", err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

func TestATakenPortForGRPCIsNoFailure(t *testing.T) {
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	var log strings.Builder
	cfg := Config{Host: "127.0.0.1", GRPCPort: ln.Addr().(*net.TCPAddr).Port, Log: slog.New(slog.NewTextHandler(&log, nil))}
	if got := listenGRPC(t.Context(), cfg); got != nil || !strings.Contains(log.String(), "clients of gRPC get no answer") {
		t.Errorf("it listens on %v, and logs %s", got, &log)
	}
	cfg.NoGRPC = true
	log.Reset()
	if got := listenGRPC(t.Context(), cfg); got != nil || log.Len() > 0 {
		t.Errorf("without gRPC it listens on %v, and logs %s", got, &log)
	}
}

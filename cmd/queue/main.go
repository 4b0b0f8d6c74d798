// SPDX-License-Identifier: Apache-2.0

// Command queue is the queue-proxy sidecar of model Pods. It parses flags and
// calls package queue; everything is explained there.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/serin-dev/serin/internal/dataplane/proxy"
	"github.com/serin-dev/serin/internal/dataplane/queue"
	"github.com/serin-dev/serin/internal/setting"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv("POD_IP"), os.Stderr)
	stop()
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return
	}
	fmt.Fprintln(os.Stderr, "serin-queue:", err)
	if errors.Is(err, errUsage) {
		os.Exit(2)
	}
	os.Exit(1)
}

// errUsage is a command line that cannot be obeyed.
var errUsage = errors.New("see --help")

// run listens on the Pod's own address, or on all if it is empty, and reaches
// the model server there.
func run(ctx context.Context, args []string, podIP string, stderr io.Writer) error {
	flags := flag.NewFlagSet("serin-queue", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var port, adminPort, userPort, grpcPort, concurrency, timeout, pending int
	var probeGRPC bool
	flags.Var(setting.Port(&port, 8012), "port", "`port` for requests: HTTP/1.1, WebSocket, HTTP/2 and gRPC without TLS")
	flags.Var(setting.Port(&adminPort, 8022), "admin-port", "`port` for /ready, /wait-for-drain and /metrics")
	flags.Var(setting.Port(&userPort, 8080), "user-port", "`port` of the model server")
	flags.Var(setting.Number(&grpcPort, 0, 0, math.MaxUint16), "grpc-port", "`port` of the model server for gRPC; 0 means --user-port")
	flags.BoolVar(&probeGRPC, "probe-grpc", false, "/ready fails while --grpc-port accepts no connection")
	flags.Var(setting.Number(&concurrency, 0, 0, math.MaxInt), "concurrency", "how many requests the model server may have at once; 0 means any `number`")
	flags.Var(setting.Number(&timeout, 300, 1, math.MaxInt32), "timeout", "how many `seconds` a response may take to begin")
	flags.Var(setting.Number(&pending, 0, 0, math.MaxInt), "max-pending-requests", "how many requests may wait for their turn; 0 means 10 for each concurrency slot, and at least 100")
	add := func(v *setting.Value, name, usage string) { flags.Var(v, name, usage) }
	var limits proxy.Limits
	limits.AddFlags(add)
	var connections proxy.Connections
	connections.AddFlags(add)
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return err
	case err != nil:
		return fmt.Errorf("%w (%w)", err, errUsage)
	case probeGRPC && grpcPort == 0:
		return fmt.Errorf("--probe-grpc needs --grpc-port (%w)", errUsage)
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q (%w)", flags.Arg(0), errUsage)
	}
	requests, err := listen(ctx, podIP, port)
	if err != nil {
		return fmt.Errorf("--port: %w", err)
	}
	admin, err := listen(ctx, podIP, adminPort)
	if err != nil {
		return fmt.Errorf("--admin-port: %w", err)
	}
	server := podIP
	if server == "" {
		server = "127.0.0.1"
	}
	grpc := ""
	if grpcPort != 0 {
		grpc = address(server, grpcPort)
	}
	return queue.Run(ctx, queue.Config{
		Listener:    requests,
		Admin:       admin,
		ModelServer: address(server, userPort),
		GRPC:        grpc,
		ProbeGRPC:   probeGRPC,
		Concurrency: concurrency,
		Timeout:     time.Duration(timeout) * time.Second,
		MaxPending:  pending,
		Limits:      limits,
		Connections: connections,
		Log:         slog.New(slog.NewTextHandler(stderr, nil)),
	})
}

func listen(ctx context.Context, host string, port int) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp", address(host, port))
}

func address(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

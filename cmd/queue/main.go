// SPDX-License-Identifier: Apache-2.0

// Command queue is the queue-proxy sidecar of model Pods. It parses flags and
// calls package queue; everything is explained there.
package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/serin-dev/serin/internal/proxy"
	"github.com/serin-dev/serin/internal/queue"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Getenv("POD_IP"), os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "serin-queue:", err)
		os.Exit(1)
	}
}

// run listens on the Pod's own address, or on all if it is empty, and reaches
// the model server there.
func run(ctx context.Context, args []string, podIP string, stderr io.Writer) error {
	flags := flag.NewFlagSet("serin-queue", flag.ContinueOnError)
	flags.SetOutput(stderr)
	port := flags.Int("port", 8012, "`port` for requests: HTTP/1.1, WebSocket, HTTP/2 and gRPC without TLS")
	adminPort := flags.Int("admin-port", 8022, "`port` for /ready, /wait-for-drain and /metrics")
	userPort := flags.Int("user-port", 8080, "`port` of the model server")
	concurrency := flags.Int("concurrency", 0, "how many requests the model server may have at once; 0 means any `number`")
	timeout := flags.Int("timeout", 300, "how many `seconds` a response may take to begin")
	pending := flags.Int("max-pending-requests", 0, "how many requests may wait for their turn; 0 means 10 for each that the model server may have at once, at least 100")
	var limits proxy.Limits
	limits.AddFlags(flags)
	var connections proxy.Connections
	connections.AddFlags(flags)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if *concurrency < 0 || *pending < 0 || *timeout <= 0 {
		return fmt.Errorf("--concurrency and --max-pending-requests must not be negative and --timeout must be positive, got %d, %d and %d", *concurrency, *pending, *timeout)
	}
	if err := cmp.Or(limits.Check(), connections.Check()); err != nil {
		return err
	}
	requests, err := listen(ctx, podIP, *port)
	if err != nil {
		return fmt.Errorf("--port: %w", err)
	}
	admin, err := listen(ctx, podIP, *adminPort)
	if err != nil {
		return fmt.Errorf("--admin-port: %w", err)
	}
	server := podIP
	if server == "" {
		server = "127.0.0.1"
	}
	return queue.Run(ctx, queue.Config{
		Listener:    requests,
		Admin:       admin,
		Target:      address(server, *userPort),
		Concurrency: *concurrency,
		Timeout:     time.Duration(*timeout) * time.Second,
		MaxPending:  *pending,
		Limits:      limits,
		Connections: connections,
		Log:         slog.New(slog.NewTextHandler(stderr, nil)),
	})
}

func listen(ctx context.Context, host string, port int) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(ctx, "tcp", address(host, port))
}

func address(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

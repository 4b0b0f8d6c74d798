// SPDX-License-Identifier: Apache-2.0

// Command router sends the requests for InferenceServices to their revisions.
// It parses flags and calls package router; everything is explained there.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/serin-dev/serin/internal/cli/usage"
	"github.com/serin-dev/serin/internal/dataplane/proxy"
	"github.com/serin-dev/serin/internal/dataplane/router"
	"github.com/serin-dev/serin/internal/setting"
)

// gcPercent is how much the heap grows before garbage is collected: less than Go's 100.
// With thousands of services most of the heap is the table, which stays, and requests
// leave hardly any garbage. GOGC says otherwise.
const gcPercent = 50

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	c := command()
	usage.Strict(c)
	err := c.ExecuteContext(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "serin-router:", err)
		os.Exit(usage.ExitCode(err))
	}
}

type options struct {
	listen, listenInside, admin, domain, kubeconfig string
	accessLog                                       bool
	drain                                           time.Duration
	limits                                          proxy.Limits
	connections                                     proxy.Connections
	logLevel                                        string
}

func command() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:           "serin-router",
		Short:         "Send the requests for InferenceServices to their revisions",
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(c *cobra.Command, _ []string) error { return run(c.Context(), o) },
	}
	f := c.Flags()
	f.Var(setting.Listen(&o.listen, ":8080"), "listen", "address for requests: HTTP/1.1, WebSocket, HTTP/2 and gRPC without TLS")
	f.Var(setting.Listen(&o.listenInside, ""), "listen-inside", "address for requests from inside the cluster, which private services answer too (default none)")
	f.Var(setting.Listen(&o.admin, ":8081"), "admin", "address for /metrics, /load, /healthz and /readyz")
	f.Var(setting.Domain(&o.domain, "example.com"), "domain", "domain of the services' hosts, NAME.NAMESPACE.DOMAIN")
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig file of the API server (default: the Pod's service account)")
	f.BoolVar(&o.accessLog, "access-log", false, "write a JSON line per request to standard output")
	f.Var(setting.Duration(&o.drain, router.DefaultDrain, time.Millisecond), "drain", "how long requests may take after SIGTERM; then they are cut off")
	add := func(v *setting.Value, name, usage string) { f.Var(v, name, usage) }
	o.limits.AddFlags(add)
	o.connections.AddFlags(add)
	f.Var(setting.LogLevel(&o.logLevel, "info"), "log-level", "debug, info, warn or error")
	return c
}

func run(ctx context.Context, o options) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return fmt.Errorf("--log-level: %w", err)
	}
	rest, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return fmt.Errorf("find the API server: %w", err)
	}
	var listen net.ListenConfig
	requests, err := listen.Listen(ctx, "tcp", o.listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}
	var inside net.Listener
	if o.listenInside != "" {
		if inside, err = listen.Listen(ctx, "tcp", o.listenInside); err != nil {
			return fmt.Errorf("--listen-inside: %w", err)
		}
	}
	admin, err := listen.Listen(ctx, "tcp", o.admin)
	if err != nil {
		return fmt.Errorf("--admin: %w", err)
	}
	var access io.Writer
	if o.accessLog {
		access = os.Stdout
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	log.Info("listening", "requests", requests.Addr(), "admin", admin.Addr())
	return router.Run(ctx, router.Config{
		Listener:    requests,
		Inside:      inside,
		Loopback:    loopback(rest.Host),
		Admin:       admin,
		REST:        rest,
		Domain:      o.domain,
		AccessLog:   access,
		Connections: o.connections,
		Drain:       o.drain,
		Limits:      o.limits,
		Log:         log,
	})
}

// loopback reports whether an API server is on this machine alone, as that of
// 'serin up' is. Then its Pods may be, too.
func loopback(host string) bool {
	u, err := url.Parse(host)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(u.Hostname())
	return err == nil && a.IsLoopback()
}

// SPDX-License-Identifier: Apache-2.0

// Command controller rolls out InferenceServices: it makes revisions, decides
// on their traffic and scales them. It parses flags and runs the packages
// controller, autoscaler and, in clusters, descheduler; everything is explained
// there.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/serin-dev/serin/internal/cli/usage"
	"github.com/serin-dev/serin/internal/controlplane/autoscaler"
	"github.com/serin-dev/serin/internal/controlplane/controller"
	"github.com/serin-dev/serin/internal/controlplane/descheduler"
	"github.com/serin-dev/serin/internal/controlplane/operator"
	"github.com/serin-dev/serin/internal/controlplane/render"
	"github.com/serin-dev/serin/internal/dataplane/routing"
	"github.com/serin-dev/serin/internal/lifecycle"
	"github.com/serin-dev/serin/internal/setting"
)

// gcPercent is less than Go's own 100: nearly all of the memory are caches that
// stay, and collecting costs little CPU here. GOGC says otherwise.
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
		fmt.Fprintln(os.Stderr, "serin-controller:", err)
		os.Exit(usage.ExitCode(err))
	}
}

type options struct {
	kubeconfig, domain, routers, routerHost, health, metrics, leaderElection, spread, logLevel string
	gateway, ingressClass, scheme                                                              string
	render                                                                                     render.Options
}

func command() *cobra.Command {
	var o options
	c := &cobra.Command{
		Use:           "serin-controller",
		Short:         "Make revisions of InferenceServices, decide on their traffic, and scale them",
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(c *cobra.Command, _ []string) error { return run(c.Context(), o) },
	}
	f := c.Flags()
	f.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig file of the API server (default: the Pod's service account)")
	f.Var(setting.Domain(&o.domain, "example.com"), "domain", "domain of the services' hosts, NAME.NAMESPACE.DOMAIN")
	f.Var(setting.Target(&o.routers, ""), "routers", "host:port of the routers' admin listeners, which report the load; the host may resolve to several addresses (default: revisions keep their minimum of replicas)")
	f.Var(setting.Host(&o.routerHost, ""), "router-host", "host name of the routers' Service, to which services' names within the cluster lead (default: they have no such names)")
	f.StringVar(&o.gateway, "gateway", "", "NAMESPACE/NAME of a Gateway before the routers: each service gets an HTTPRoute in the namespace of --router-host")
	f.StringVar(&o.ingressClass, "ingress-class", "", "class of the Ingress controller before the routers: each service gets an Ingress in the namespace of --router-host")
	f.Var(setting.OneOf(&o.scheme, "http", "http", "https"), "url-scheme", "scheme of the services' URLs: https if TLS ends before the routers")
	f.Var(setting.Listen(&o.health, ""), "health", "address for /healthz and /readyz (default: not served)")
	f.Var(setting.Listen(&o.metrics, ""), "metrics", "address for /metrics: reconciles, queues, API requests and memory, for Prometheus (default: not served)")
	f.StringVar(&o.render.FetchImage, "fetch-image", "serin/fetch", "image of the init container storage-initializer")
	f.StringVar(&o.render.QueueImage, "queue-image", "serin/queue", "image of the sidecar queue-proxy")
	f.Var(setting.Folder(&o.render.ModelCache, ""), "model-cache", "folder on each node that keeps downloaded models (default: every Pod downloads for itself)")
	f.Var(setting.Environment(&o.render.FetchEnv), "fetch-env", "environment variable for storage-initializer, such as a proxy or a storage endpoint; may be repeated")
	f.Var(setting.Environment(&o.render.Limits), "limit", "limit for the sidecar queue-proxy, named like its flags, such as stream-idle-timeout=1h; may be repeated")
	f.Var(setting.Name(&o.leaderElection, ""), "leader-election", "namespace of the leases for leader election between controllers (default: this is the only one)")
	f.Var(setting.Name(&o.spread, ""), "spread", "namespace of the controllers and routers to spread: if several share a node and another node has room, one Pod at a time is evicted (default: none)")
	f.Var(setting.LogLevel(&o.logLevel, "info"), "log-level", "debug, info, warn or error")
	return c
}

// run runs all parts until ctx ends, or one of them does: half a controller
// is worse than one that is started anew.
func run(ctx context.Context, o options) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(o.logLevel)); err != nil {
		return fmt.Errorf("--log-level: %w", err)
	}
	route, err := o.externalRoute()
	if err != nil {
		return usage.Wrap(err)
	}
	rest, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return fmt.Errorf("find the API server: %w", err)
	}
	shared := operator.Config{
		REST:           rest,
		Log:            slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level})),
		LeaderElection: o.leaderElection,
	}
	parts := lifecycle.New()
	parts.Start("controller", func(ctx context.Context) error {
		return controller.Run(ctx, controller.Config{
			Config: shared, Domain: o.domain, Router: o.routerHost, ExternalRoute: route, Scheme: o.scheme, Render: o.render,
			Health: o.health, Metrics: o.metrics,
			Routable: routing.Check,
		})
	})
	parts.Start("autoscaler", func(ctx context.Context) error {
		return autoscaler.Run(ctx, autoscaler.Config{Config: shared, Routers: o.routers})
	})
	if o.spread != "" {
		parts.Start("descheduler", func(ctx context.Context) error {
			return descheduler.Run(ctx, descheduler.Config{Config: shared, Namespace: o.spread})
		})
	}
	select {
	case <-ctx.Done():
	case err = <-parts.Failed():
	}
	return errors.Join(err, parts.Stop())
}

// externalRoute leads to the Service of the routers, which --router-host names.
func (o options) externalRoute() (render.ExternalRoute, error) {
	r := render.ExternalRoute{Gateway: o.gateway, IngressClass: o.ingressClass}
	service, rest, _ := strings.Cut(o.routerHost, ".")
	r.Service = service
	r.Namespace, _, _ = strings.Cut(rest, ".")
	if r.Enabled() && r.Namespace == "" {
		return r, fmt.Errorf("--router-host %s: with --gateway or --ingress-class it must be that of a Service, SERVICE.NAMESPACE.svc", o.routerHost)
	}
	return r, r.Check()
}

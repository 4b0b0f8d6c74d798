// SPDX-License-Identifier: Apache-2.0

// Package router is the entrance of the data plane. It receives every request for
// every InferenceService and sends it to a ready Pod of one of its revisions.
//
// Two reflectors watch the traffic in the status of services and the ready Pods of
// revisions (mirror.go). Every change makes a new routing.Table, which shares with the
// old one what did not change and replaces it behind an atomic pointer, so that no
// request takes a lock on configuration.
// Package proxy copies the requests, and asks the router for their targets
// (policy.go).
//
// A request for a revision without a ready Pod waits for one. The time and the
// number of waiting requests are bounded (waitqueue.go). The router decides nothing
// about rollouts: it follows the traffic in the status and writes nothing. While the
// API server is unavailable, it uses the last table.
package router

import (
	"cmp"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"

	"github.com/serin-dev/serin/internal/dataplane/proxy"
	"github.com/serin-dev/serin/internal/dataplane/routing"
)

// DefaultDrain is short, for a person who waits after Ctrl-C.
const DefaultDrain = 8 * time.Second

// Config is what a router needs.
type Config struct {
	Listener  net.Listener // receives the requests from outside the cluster
	Inside    net.Listener // receives those from inside, also for private services; nil: off
	Admin     net.Listener // serves /metrics, /load, /healthz and /readyz; nil: off
	REST      *rest.Config // the API server
	Domain    string       // of the services' hosts
	AccessLog io.Writer    // one JSON line per request; nil: off
	Limits    proxy.Limits // for slow clients and silent streams; the zero value: proxy.DefaultLimits
	Log       *slog.Logger
	// Connections bounds the connections of clients and to Pods.
	Connections proxy.Connections
	// Drain bounds how long requests may still take when Run must end; zero: DefaultDrain.
	Drain time.Duration
	// Loopback allows Pods at loopback addresses: processes of this machine. No Pod
	// of a cluster has such an address.
	Loopback bool

	// Static, if set, replaces the objects of the API server, for benchmarks of the
	// data plane alone.
	Static *routing.Input
}

// router is the state of a running router.
type router struct {
	Config
	server  *proxy.Server
	key     uint64 // of the draws of its splits
	view    atomic.Pointer[view]
	metrics *metrics
	mirror  *mirror
	access  *slog.Logger
	maxWait time.Duration
	queue   waitQueue
	loads   loads
}

// view is a table until there is another one.
type view struct {
	table    *routing.Table
	replaced chan struct{} // closed then
}

// Run routes requests until ctx ends, and then waits for the requests in flight, at
// most Config.Drain.
func Run(ctx context.Context, cfg Config) error {
	r := newRouter(cfg)
	if cfg.Static != nil {
		in := *cfg.Static
		in.Domain, in.Key = r.Domain, r.key
		r.show(routing.Build(in))
		return r.run(ctx, func(context.Context) error { return nil })
	}
	services, err := clientOfServices(cfg.REST)
	if err != nil {
		return err
	}
	pods, err := clientOfPods(cfg.REST)
	if err != nil {
		return err
	}
	return r.run(ctx, func(ctx context.Context) error { return r.watch(ctx, services, pods) })
}

func newRouter(cfg Config) *router {
	r := &router{Config: cfg, key: rand.Uint64(), metrics: newMetrics(), maxWait: maxWait, queue: waitQueue{occupancy: occupancy{capacity: queueCapacity, reserve: queueReserve}}}
	r.server = proxy.New(proxy.Config{
		Policy: r, Inside: r.Inside, Forwarded: true, Drain: cmp.Or(r.Drain, DefaultDrain), Connections: r.Connections, Limits: r.Limits, Log: r.Log,
	})
	r.metrics.registry.MustRegister(newRevisions(r), newConnections(r.server.ConnectionCounts))
	r.mirror = newMirror(guarded(slimService, brokenService), guarded(r.slimPod, brokenPod), r.Log)
	if cfg.AccessLog != nil {
		r.access = slog.New(slog.NewJSONHandler(cfg.AccessLog, nil))
	}
	return r
}

// run serves requests while watch updates the table. It stops watch after the last
// request, because a waiting request may need a new table.
func (r *router) run(ctx context.Context, watch func(context.Context) error) error {
	serving, stop := context.WithCancel(ctx)
	defer stop()
	watching, stopWatching := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWatching()

	watched := make(chan error, 1)
	go func() {
		err := watch(watching)
		if err != nil {
			stop()
		}
		watched <- err
	}()
	administered := make(chan error, 1)
	go func() {
		err := r.administer(watching, serving)
		if err != nil {
			stop()
		}
		administered <- err
	}()
	err := r.server.Serve(serving, r.Listener)
	stopWatching()
	return errors.Join(err, <-watched, <-administered)
}

// change makes the table after a change, and replaces the view if it differs.
func (r *router) change(c routing.Change) {
	old := r.view.Load()
	if old == nil {
		r.show(routing.Build(routing.Input{Domain: r.Domain, Key: r.key}).With(c))
	} else if next := old.table.With(c); next != old.table {
		r.show(next)
	}
}

// show replaces the view.
func (r *router) show(table *routing.Table) {
	old := r.view.Load()
	r.logBroken(old, table)
	r.replace(&view{table: table, replaced: make(chan struct{})})
	if old != nil {
		close(old.replaced)
	}
}

// logBroken logs each service that cannot be routed, once for each reason.
func (r *router) logBroken(old *view, after *routing.Table) {
	for _, s := range after.Broken() {
		if old == nil || !slices.ContainsFunc(old.table.Broken(), func(o *routing.Service) bool {
			return o.Namespace == s.Namespace && o.Name == s.Name && o.Broken == s.Broken
		}) {
			r.Log.Error("an InferenceService cannot be routed", "inferenceservice", s.Namespace+"/"+s.Name, "why", s.Broken)
		}
	}
}

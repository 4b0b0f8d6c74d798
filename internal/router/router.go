// SPDX-License-Identifier: Apache-2.0

// Package router is the data plane's entrance: it takes every request for
// every InferenceService and sends it to a ready Pod of the revision whose turn
// it is.
//
// Two informers watch what decides: the traffic in the services' status, and
// the ready Pods of revisions. Any change builds a new routing.Table, which
// replaces the old one behind an atomic pointer; no request takes a lock on
// configuration. The requests themselves are moved by package proxy, which asks
// the router's policy where to.
//
// A request for a revision without a ready Pod is held, for a bounded time and
// in a bounded number, until there is one; see hold.go. The router refuses to decide: it
// does what the status shows, writes nothing, and when the API server is gone
// it goes on with what it last knew.
package router

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync/atomic"
	"time"

	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/serin-dev/serin/internal/proxy"
	"github.com/serin-dev/serin/internal/routing"
)

// DefaultDrain is for people who wait for the end after Ctrl-C.
const DefaultDrain = 8 * time.Second

// Config is what a router needs.
type Config struct {
	Listener  net.Listener // takes the requests from outside
	Inside    net.Listener // takes those from inside, which private services answer too; nil: off
	Admin     net.Listener // serves /metrics, /load, /healthz and /readyz; nil: off
	REST      *rest.Config // the API server
	Domain    string       // of the services' hosts
	AccessLog io.Writer    // one JSON line per request; nil: off
	Limits    proxy.Limits // for slow clients and silent streams; the zero value: proxy.DefaultLimits
	Log       *slog.Logger
	// Connections bound those of clients and those to Pods.
	Connections proxy.Connections
	// Drain bounds how long requests may take once Run must end; zero: DefaultDrain.
	Drain time.Duration
	// Loopback says that Pods are processes of this machine, at loopback
	// addresses. No Pod of a cluster has one.
	Loopback bool

	// Static, if set, is used in place of what the API server has: for
	// benchmarks of the data plane alone.
	Static *routing.Input
}

// router is the state of a running router.
type router struct {
	Config
	server  *proxy.Server
	view    atomic.Pointer[view]
	metrics *metrics
	access  *slog.Logger
	hold    time.Duration
	line    line
	loads   loads
}

// view is a table and what goes with it.
type view struct {
	table    *routing.Table
	counters map[revisionKey]*counters
	replaced chan struct{} // closed when another view took its place
}

// Run routes requests until ctx ends and those in flight ended or took too
// long.
func Run(ctx context.Context, cfg Config) error {
	r := newRouter(cfg)
	if cfg.Static != nil {
		r.use(*cfg.Static)
		return r.run(ctx, func(context.Context) error { return nil })
	}
	services, err := dynamic.NewForConfig(cfg.REST)
	if err != nil {
		return fmt.Errorf("make a client for InferenceServices: %w", err)
	}
	pods, err := kubernetes.NewForConfig(cfg.REST)
	if err != nil {
		return fmt.Errorf("make a client for Pods: %w", err)
	}
	return r.run(ctx, func(ctx context.Context) error { return r.watch(ctx, services, pods) })
}

func newRouter(cfg Config) *router {
	r := &router{Config: cfg, metrics: newMetrics(), hold: holdFor, line: line{room: room{places: maxHeld, reserve: reserved}}}
	r.server = proxy.New(proxy.Config{
		Policy: r, Inside: r.Inside, Forwarded: true, Drain: cmp.Or(r.Drain, DefaultDrain), Connections: r.Connections, Limits: r.Limits, Log: r.Log,
	})
	r.metrics.registry.MustRegister(newInFlight(r), newConnections(r.server.ConnectionCounts))
	if cfg.AccessLog != nil {
		r.access = slog.New(slog.NewJSONHandler(cfg.AccessLog, nil))
	}
	return r
}

// run serves while watch keeps the table up to date, and on until the last
// request ended: a held one may still need a new table.
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

// complain logs once of every service that cannot be routed.
func (r *router) complain(before, now *routing.Table) {
	for _, s := range now.Broken() {
		if before == nil || !slices.ContainsFunc(before.Broken(), func(o *routing.Service) bool {
			return o.Namespace == s.Namespace && o.Name == s.Name && o.Broken == s.Broken
		}) {
			r.Log.Error("an InferenceService cannot be routed", "inferenceservice", s.Namespace+"/"+s.Name, "why", s.Broken)
		}
	}
}

// use makes a table of in and swaps it in.
func (r *router) use(in routing.Input) {
	in.Domain = r.Domain
	old := r.view.Load()
	if old == nil {
		old = &view{}
	}
	table := routing.Build(in, old.table)
	r.complain(old.table, table)
	r.replace(&view{table: table, counters: r.metrics.follow(table, old.counters), replaced: make(chan struct{})})
	if old.replaced != nil {
		close(old.replaced)
	}
}

// SPDX-License-Identifier: Apache-2.0

// Package queue is the sidecar in front of a model server. It takes the
// router's requests on one port and passes them to the server in the same Pod,
// never more at once than the server may have; the others wait in order, in a
// bounded number. While the server restarts, requests wait for it. A second
// port tells whether the Pod takes requests, counts them, and lets the model
// server's preStop hook wait until the last one ended.
//
// The requests are moved by package proxy. The queue refuses to know about
// Kubernetes, models and revisions: it starts in milliseconds and imports
// little.
//
// The end begins with ctx, and takes its time, because routers learn of it late:
//
//	serving --announced--> draining (not ready, still serving) --idle--> ended
package queue

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/serin-dev/serin/internal/proxy"
)

const (
	// lameDuck is how long requests are taken after the end was announced:
	// routers learn of it through the API server.
	lameDuck = time.Second
	// quiet is how long nothing must be in flight before the end.
	quiet = 100 * time.Millisecond
	// restartFor is the default of how long a request waits for a model server
	// that takes no connections. Requests came before the router knew; it holds
	// others.
	restartFor = 30 * time.Second
	// aloneFor is the default of how long a preStop hook waits for the end to
	// begin. The kubelet tells all containers of a Pod at the same time.
	aloneFor = 10 * time.Second
	// redial is how often such a server is tried.
	redial = 20 * time.Millisecond
	// modelIdle is how long a connection to the model server is kept. Servers
	// close theirs after 2 s or more, and a request must not meet that.
	modelIdle = time.Second
	// closeFor bounds the closing of connections after the last request.
	closeFor = 2 * time.Second
)

// Config is what a queue needs.
type Config struct {
	Listener    net.Listener      // takes the requests
	Admin       net.Listener      // serves /ready, /wait-for-drain and /metrics
	Target      string            // host:port of the model server
	Concurrency int               // requests at once at the model server; zero: no limit
	Timeout     time.Duration     // until a response must begin; zero: proxy.DefaultTimeout
	MaxPending  int               // requests that may wait for their turn; zero: 10 for each that may run, at least 100
	Limits      proxy.Limits      // for slow clients and silent streams; the zero value: proxy.DefaultLimits
	Connections proxy.Connections // of routers and to the model server; the zero value: the defaults
	Log         *slog.Logger

	// RestartFor is how long a request waits for a model server that takes no
	// connections, and AloneFor how long /wait-for-drain waits for the end to
	// begin; zero: 30 s and 10 s.
	RestartFor, AloneFor time.Duration
}

// queue is the state of a running queue.
type queue struct {
	Config
	limit   *limit
	metrics *metrics

	draining <-chan struct{} // closed when the end began
	drained  chan struct{}   // closed when the last request ended
}

// Run serves until ctx ends, and the requests in flight ended or took longer
// than the timeout.
func Run(ctx context.Context, cfg Config) error {
	if cfg.Timeout <= 0 {
		cfg.Timeout = proxy.DefaultTimeout
	}
	cfg.RestartFor, cfg.AloneFor = cmp.Or(cfg.RestartFor, restartFor), cmp.Or(cfg.AloneFor, aloneFor)
	announced, announce := context.WithCancel(ctx)
	defer announce()
	q := &queue{
		Config:   cfg,
		limit:    newLimit(cfg),
		draining: announced.Done(),
		drained:  make(chan struct{}),
	}
	q.metrics = newMetrics(q.limit)

	// What serves outlives ctx.
	lasting := context.WithoutCancel(ctx)
	administering, stopAdmin := context.WithCancel(lasting)
	defer stopAdmin()
	administered := make(chan error, 1)
	go func() {
		administered <- q.administer(administering)
		announce() // of no use without it
	}()
	serving, stop := context.WithCancel(lasting)
	defer stop()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		q.drain(serving)
		stop()
	}()
	server := proxy.New(proxy.Config{Policy: q, DetectH2: true, Drain: closeFor, Idle: modelIdle, Limits: cfg.Limits, Connections: cfg.Connections, Log: cfg.Log})
	err := server.Serve(serving, cfg.Listener)
	stop() // Serve may have failed by itself
	<-drained
	stopAdmin()
	return errors.Join(err, <-administered)
}

// drain waits for the end to be announced, then until nothing was in flight
// for a while, but no longer than a request may take. It gives up with ctx.
func (q *queue) drain(ctx context.Context) {
	defer close(q.drained)
	select {
	case <-q.draining:
	case <-ctx.Done():
		return
	}
	tick := time.NewTicker(quiet / 5)
	defer tick.Stop()
	busy := time.Now().Add(lameDuck - quiet) // as if until then
	bound := time.Now().Add(lameDuck + q.Timeout)
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if q.limit.busy() && now.After(busy) {
				busy = now
			}
			if now.Sub(busy) >= quiet || now.After(bound) {
				return
			}
		}
	}
}

// NewAttempt implements proxy.Policy.
func (q *queue) NewAttempt() proxy.Attempt { return &attempt{queue: q} }

// attempt is one request's slot at the model server.
type attempt struct {
	*queue
	admitted bool      // it has a slot
	until    time.Time // the end of its wait for a model server that restarts; zero: it does not wait
}

// Admit implements proxy.Attempt: it waits for a slot.
func (a *attempt) Admit(r *proxy.Request) (proxy.Target, error) {
	if err := a.limit.acquire(r); err != nil {
		return proxy.Target{}, err
	}
	a.admitted = true
	return proxy.Target{Addr: a.Target, Timeout: a.Timeout}, nil
}

// Elsewhere implements proxy.Attempt. There is only one model server here, but
// one that died is started again, and this request has not been sent: it waits,
// however long it waited for its slot, but no longer than it may take in all.
func (a *attempt) Elsewhere(r *proxy.Request) (proxy.Target, error) {
	if a.until.IsZero() {
		a.until = time.Now().Add(a.RestartFor)
		if last := r.Start.Add(a.Timeout); last.Before(a.until) {
			a.until = last
		}
	}
	again := time.NewTimer(redial)
	defer again.Stop()
	ctx, cancel := context.WithDeadline(r.Context(), a.until)
	defer cancel()
	select {
	case <-again.C:
		return r.Target, nil
	case <-ctx.Done():
		return proxy.Target{}, proxy.ErrNowhere
	}
}

// Done implements proxy.Attempt.
func (a *attempt) Done(r *proxy.Request) {
	if a.admitted {
		a.limit.release()
	}
	a.metrics.count(r.Status)
	*a = attempt{queue: a.queue}
}

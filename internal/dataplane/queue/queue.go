// SPDX-License-Identifier: Apache-2.0

// Package queue is the sidecar in front of a model server. It receives the router's
// requests on one port and sends them to the model server in the same Pod, never more
// at once than its concurrency. The others wait in order, in a bounded number. While
// the model server restarts, requests wait for it. A model server may have a port of its
// own for gRPC; the slots are the same. A second port of the queue serves readiness,
// metrics, and the wait of the model server's preStop hook for the last request.
//
// Package proxy copies the requests. The queue knows nothing about Kubernetes, models
// and revisions: it starts in milliseconds and imports little.
//
// When ctx ends, the queue drains, because routers learn late that the Pod ends:
//
//	serving --ctx ended--> draining (not ready, still serving) --no requests--> drained
package queue

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/serin-dev/serin/internal/dataplane/proxy"
)

const (
	// lameDuck is how long the queue serves new requests after ctx ended: routers
	// learn of that through the API server.
	lameDuck = time.Second
	// quietPeriod is how long no request must be in flight before the queue is
	// drained.
	quietPeriod = 100 * time.Millisecond
	// defaultRestartWait is the default of Config.RestartWait. The router does not
	// know yet that the model server is down, so it still sends requests.
	defaultRestartWait = 30 * time.Second
	// defaultPodWait is the default of Config.PodWait. The kubelet stops all containers
	// of a Pod at the same time.
	defaultPodWait = 10 * time.Second
	// redialEvery is how often a request retries the model server.
	redialEvery = 20 * time.Millisecond
	// modelServerIdle is how long an idle connection to the model server is kept.
	// Model servers close theirs after 2 s or more, so the queue closes first.
	modelServerIdle = time.Second
	// closeTimeout bounds the closing of connections after the last request.
	closeTimeout = 2 * time.Second
	// probeTimeout is how long the port for gRPC may take to accept a connection. It is
	// shorter than the timeout of the readiness probe.
	probeTimeout = 500 * time.Millisecond
)

// Config is what a queue needs.
type Config struct {
	Listener    net.Listener      // receives the requests
	Admin       net.Listener      // serves /ready, /wait-for-drain and /metrics
	ModelServer string            // host:port of the model server
	GRPC        string            // host:port of the model server for gRPC; empty: ModelServer
	ProbeGRPC   bool              // /ready fails while GRPC accepts no connection
	Concurrency int               // requests at once at the model server: its slots; zero: no limit
	Timeout     time.Duration     // for the start of a response; zero: proxy.DefaultTimeout
	MaxPending  int               // requests that may wait for a slot; zero: 10 for each slot, at least 100
	Limits      proxy.Limits      // for slow clients and silent streams; the zero value: proxy.DefaultLimits
	Connections proxy.Connections // of routers and to the model server; the zero value: the defaults
	Log         *slog.Logger

	// RestartWait is how long a request waits for a model server that refuses
	// connections; zero: 30 s. PodWait is how long /wait-for-drain waits for the
	// queue to drain, too; zero: 10 s.
	RestartWait, PodWait time.Duration
}

// queue is the state of a running queue.
type queue struct {
	Config
	limit   *limit
	metrics *metrics

	draining <-chan struct{} // closed when the queue drains
	drained  chan struct{}   // closed when the last request ended
	refused  atomic.Bool     // the port for gRPC accepted no connection when it was probed last
}

// Run serves until ctx ends, and then until the requests in flight end, at most
// Config.Timeout.
func Run(ctx context.Context, cfg Config) error {
	if cfg.Timeout <= 0 {
		cfg.Timeout = proxy.DefaultTimeout
	}
	cfg.RestartWait, cfg.PodWait = cmp.Or(cfg.RestartWait, defaultRestartWait), cmp.Or(cfg.PodWait, defaultPodWait)
	draining, drain := context.WithCancel(ctx)
	defer drain()
	q := &queue{
		Config:   cfg,
		limit:    newLimit(cfg),
		draining: draining.Done(),
		drained:  make(chan struct{}),
	}
	q.metrics = newMetrics(q.limit)

	// The servers outlive ctx.
	lasting := context.WithoutCancel(ctx)
	administering, stopAdmin := context.WithCancel(lasting)
	defer stopAdmin()
	administered := make(chan error, 1)
	go func() {
		administered <- q.administer(administering)
		drain() // without the admin listener the queue is useless
	}()
	serving, stop := context.WithCancel(lasting)
	defer stop()
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		q.drain(serving)
		stop()
	}()
	server := proxy.New(proxy.Config{Policy: q, DetectH2: true, Drain: closeTimeout, Idle: modelServerIdle, Limits: cfg.Limits, Connections: cfg.Connections, Log: cfg.Log})
	err := server.Serve(serving, cfg.Listener)
	stop() // Serve may have failed
	<-drained
	stopAdmin()
	return errors.Join(err, <-administered)
}

// drain waits until the queue must drain, and then until no request was in flight for
// quietPeriod, no longer than Config.Timeout. It returns early when ctx ends.
func (q *queue) drain(ctx context.Context) {
	defer close(q.drained)
	select {
	case <-q.draining:
	case <-ctx.Done():
		return
	}
	tick := time.NewTicker(quietPeriod / 5)
	defer tick.Stop()
	busy := time.Now().Add(lameDuck - quietPeriod) // as if a request ended at that time
	bound := time.Now().Add(lameDuck + q.Timeout)
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			if q.limit.busy() && now.After(busy) {
				busy = now
			}
			if now.Sub(busy) >= quietPeriod || now.After(bound) {
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
	until    time.Time // the end of its wait for a restart; zero: it does not wait
}

// Admit implements proxy.Attempt: it waits for a slot.
func (a *attempt) Admit(r *proxy.Request) (proxy.Target, error) {
	if err := a.limit.acquire(r); err != nil {
		return proxy.Target{}, err
	}
	a.admitted = true
	addr := a.ModelServer
	if a.GRPC != "" && r.GRPC() {
		addr = a.GRPC
	}
	return proxy.Target{Addr: addr, Timeout: a.Timeout}, nil
}

// Elsewhere implements proxy.Attempt: it returns the same model server, because the
// kubelet restarts it. The request waits up to RestartWait, however long it waited for
// its slot, but no longer than Timeout in all.
func (a *attempt) Elsewhere(r *proxy.Request) (proxy.Target, error) {
	if a.until.IsZero() {
		a.until = time.Now().Add(a.RestartWait)
		if last := r.Start.Add(a.Timeout); last.Before(a.until) {
			a.until = last
		}
	}
	redial := time.NewTimer(redialEvery)
	defer redial.Stop()
	ctx, cancel := context.WithDeadline(r.Context(), a.until)
	defer cancel()
	select {
	case <-redial.C:
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

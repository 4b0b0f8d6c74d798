// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/serin-dev/serin/internal/dataplane/proxy"
	"github.com/serin-dev/serin/internal/dataplane/routing"
)

const (
	// avoidFor is how long other Pods are preferred to one that refused a
	// connection.
	avoidFor = time.Second
	// maxWatchDelay is how much later than other clients of the API server the
	// router may learn that a service has traffic.
	maxWatchDelay = time.Second
	// retryAfter is the Retry-After of a request that cannot be served yet.
	retryAfter = time.Second
)

// NewAttempt implements proxy.Policy.
func (r *router) NewAttempt() proxy.Attempt { return &attempt{router: r} }

// attempt is one request: what it counts for and where it is in flight.
type attempt struct {
	*router
	stats    *routing.RevisionStats // of its revision; nil: none yet
	endpoint *routing.Endpoint      // its Pod; nil: none yet
}

// Admit implements proxy.Attempt: it chooses a revision and a Pod of it, or waits
// for one. While others wait for the revision, it waits behind them.
func (a *attempt) Admit(req *proxy.Request) (proxy.Target, error) {
	v := a.view.Load()
	if v == nil {
		return proxy.Target{}, unavailable("the router does not know its InferenceServices yet")
	}
	choice, err := a.route(req, v)
	if err != nil {
		if isForAPI(req) {
			err = notAPI
		}
		return proxy.Target{}, refusal(err)
	}
	a.stats = choice.Revision.Stats
	a.stats.Begin(req.Start)
	if a.stats.Waiting() == 0 {
		if e := choice.Revision.Endpoint(req.Start); e != nil {
			e.Begin()
			return a.sendTo(choice, e), nil
		}
	}
	return a.wait(req, choice, choice.Service.Timeout)
}

// route chooses a revision. If the service has no traffic, it may have become ready
// just now, and the client may have seen that before the router did: then route
// waits up to maxWatchDelay for a new table.
func (r *router) route(req *proxy.Request, v *view) (routing.Choice, error) {
	request := routingRequest(req)
	choice, err := v.table.Route(request)
	if !noTraffic(err) {
		return choice, err
	}
	w := newWaiter(request, req.Start, choice)
	r.enqueueEarly(w)
	defer r.dequeue(w)
	ctx, cancel := context.WithDeadline(req.Context(), req.Start.Add(maxWatchDelay))
	defer cancel()
	for {
		select {
		case <-v.replaced:
		case <-w.released: // evicted
			return choice, w.err
		case <-ctx.Done():
			return choice, err
		}
		v = r.view.Load()
		if choice, err = v.table.Route(request); !noTraffic(err) {
			return choice, err
		}
	}
}

// noTraffic reports whether err means that the service exists and has no traffic.
func noTraffic(err error) bool {
	refused := (*routing.Refusal)(nil)
	return errors.As(err, &refused) && refused.Status == http.StatusServiceUnavailable
}

// routingRequest returns the parts of a request that the table needs.
func routingRequest(req *proxy.Request) routing.Request {
	return routing.Request{Host: req.Host, Path: req.Path, Inside: req.Inside, Header: req.Header}
}

// sendTo moves the request to a Pod where it has begun, and returns that as the
// target.
func (a *attempt) sendTo(choice routing.Choice, e *routing.Endpoint) proxy.Target {
	a.moveTo(e)
	return proxy.Target{Addr: e.Addr, Path: choice.Path, Revision: choice.Revision.Name, Timeout: choice.Service.Timeout}
}

// moveTo ends the request at its last Pod, if any.
func (a *attempt) moveTo(e *routing.Endpoint) {
	if a.endpoint != nil {
		a.endpoint.End()
	}
	a.endpoint = e
}

// wait waits until a Pod has capacity for the request, no longer than maxWait and
// timeout. Meanwhile the traffic may move to another revision.
func (a *attempt) wait(req *proxy.Request, choice routing.Choice, timeout time.Duration) (proxy.Target, error) {
	limit := a.maxWait
	if timeout > 0 {
		limit = min(limit, timeout)
	}
	w := a.await(req, choice, limit)
	a.stats = w.choice.Revision.Stats
	if w.err != nil {
		return proxy.Target{Revision: w.choice.Revision.Name}, w.err
	}
	return a.sendTo(w.choice, w.endpoint), nil
}

// await enqueues the request and returns its waiter when that is released.
func (r *router) await(req *proxy.Request, choice routing.Choice, limit time.Duration) *waiter {
	w := newWaiter(routingRequest(req), req.Start, choice)
	r.enqueue(w)
	ctx, cancel := context.WithDeadline(req.Context(), req.Start.Add(limit))
	defer cancel()
	retry := time.NewTicker(retryEvery)
	defer retry.Stop()
	for {
		select {
		case <-w.released:
			return w
		case <-retry.C:
			r.retry(w)
		case <-ctx.Done():
			r.timeOut(w, limit)
			<-w.released
			return w
		}
	}
}

// Elsewhere implements proxy.Attempt: it chooses another Pod after one refused a
// connection. Such a Pod is often deleted, and the router about to learn it. So if
// there is no other Pod, the request waits, in the order of its arrival.
func (a *attempt) Elsewhere(req *proxy.Request) (proxy.Target, error) {
	now := time.Now()
	a.endpoint.Avoid(now.Add(avoidFor))
	stats, target := a.stats, req.Target
	if revision := a.view.Load().table.Revision(stats.Namespace, stats.Revision); revision != nil {
		if e := revision.Endpoint(now); e != nil && !e.Avoided(now) {
			e.Begin()
			a.moveTo(e)
			target.Addr = e.Addr
			return target, nil
		}
	}
	lost := &routing.Revision{Namespace: stats.Namespace, Name: stats.Revision, Stats: stats}
	return a.wait(req, routing.Choice{Revision: lost, Path: target.Path}, target.Timeout)
}

// refusal converts an error of the table to one of the proxy.
func refusal(err error) error {
	refused := (*routing.Refusal)(nil)
	if !errors.As(err, &refused) {
		return err
	}
	if refused.Status == http.StatusServiceUnavailable {
		return unavailable(refused.Text)
	}
	return &proxy.Refusal{Status: refused.Status, Text: refused.Text}
}

func unavailable(text string) *proxy.Refusal {
	return &proxy.Refusal{Status: http.StatusServiceUnavailable, Text: text, RetryAfter: retryAfter}
}

// Done implements proxy.Attempt: it counts the request, and logs it if there is an
// access log.
func (a *attempt) Done(req *proxy.Request) {
	now := time.Now()
	if e := a.endpoint; e != nil {
		e.Stats.Answers.Add(req.Status, now.Sub(req.Start)) // while its requests keep the revision in the table
	}
	if a.stats != nil {
		a.stats.End(now)
	}
	if e := a.endpoint; e != nil {
		e.End()
		a.ended(e.Stats, now)
	} else {
		a.metrics.refuse(req.Status)
	}
	if a.access != nil {
		a.logAccess(req)
	}
	*a = attempt{router: a.router}
}

func (r *router) logAccess(req *proxy.Request) {
	attrs := []slog.Attr{
		slog.String("remote", req.Remote),
		slog.String("protocol", req.Protocol),
		slog.String("method", req.Method),
		slog.String("host", req.Host),
		slog.String("path", req.Path),
		slog.Int("status", req.Status),
		slog.Int64("bytes", req.Sent),
		slog.Duration("duration", time.Since(req.Start)),
		slog.String("revision", req.Target.Revision),
		slog.String("pod", req.Target.Addr),
	}
	if req.Err != nil {
		attrs = append(attrs, slog.String("error", req.Err.Error()))
	}
	r.access.LogAttrs(context.Background(), slog.LevelInfo, "request", attrs...)
}

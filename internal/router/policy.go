// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/serin-dev/serin/internal/proxy"
	"github.com/serin-dev/serin/internal/routing"
)

const (
	// avoidFor is how long other Pods are preferred to one that took no
	// connection.
	avoidFor = time.Second
	// newsWithin is how much later than everybody else the router may learn
	// that a service has traffic.
	newsWithin = time.Second
	// retryAfter is what a client is told that comes too early.
	retryAfter = time.Second
)

// Admit implements proxy.Policy: it finds the revision and a Pod of it, or
// waits for one. Where others wait already it goes to the end of their line.
func (r *router) Admit(req *proxy.Request) (proxy.Target, error) {
	v := r.view.Load()
	if v == nil {
		return proxy.Target{}, unavailable("the router does not know its InferenceServices yet")
	}
	choice, err := r.route(req, v)
	if err != nil {
		if isForAPI(req) {
			err = notAPI
		}
		return proxy.Target{}, refusal(err)
	}
	account := choice.Revision.Account
	account.Begin(req.Start)
	if account.Held() == 0 {
		if e := choice.Revision.Endpoint(req.Start); e != nil {
			e.Begin()
			return destination(choice, e), nil
		}
	}
	h := r.wait(req, choice, choice.Service.Timeout)
	if h.err != nil {
		h.choice.Revision.Account.End(time.Now())
		return proxy.Target{Revision: h.choice.Revision.Name}, h.err
	}
	return destination(h.choice, h.endpoint), nil
}

// route asks the table who answers. A service without traffic may have become
// ready just now, and its user have seen it sooner than the router: such a
// request waits a moment for news.
func (r *router) route(req *proxy.Request, v *view) (routing.Choice, error) {
	asked := question(req)
	choice, err := v.table.Route(asked)
	if !noTraffic(err) {
		return choice, err
	}
	h := newHeld(asked, req.Start, choice)
	r.expect(h)
	defer r.forget(h)
	ctx, cancel := context.WithDeadline(req.Context(), req.Start.Add(newsWithin))
	defer cancel()
	for {
		select {
		case <-v.replaced:
		case <-h.released: // its place was another's
			return choice, h.err
		case <-ctx.Done():
			return choice, err
		}
		v = r.view.Load()
		if choice, err = v.table.Route(asked); !noTraffic(err) {
			return choice, err
		}
	}
}

// noTraffic says that the table knows the service, and nobody who serves it.
func noTraffic(err error) bool {
	refused := (*routing.Refusal)(nil)
	return errors.As(err, &refused) && refused.Status == http.StatusServiceUnavailable
}

// question is what the table may know of a request.
func question(req *proxy.Request) routing.Request {
	return routing.Request{Host: req.Host, Path: req.Path, Inside: req.Inside, Header: req.Header}
}

// destination is a Pod where a request has begun; Done or Elsewhere ends it
// there.
func destination(choice routing.Choice, e *routing.Endpoint) proxy.Target {
	return proxy.Target{Addr: e.Addr, Path: choice.Path, Revision: choice.Revision.Name, Timeout: choice.Service.Timeout, Owner: e}
}

// wait holds a request until a Pod has room for it, no longer than it may take
// in all.
func (r *router) wait(req *proxy.Request, choice routing.Choice, timeout time.Duration) *held {
	limit := r.hold
	if timeout > 0 {
		limit = min(limit, timeout)
	}
	h := newHeld(question(req), req.Start, choice)
	r.join(h)
	ctx, cancel := context.WithDeadline(req.Context(), req.Start.Add(limit))
	defer cancel()
	again := time.NewTicker(lookEvery)
	defer again.Stop()
	for {
		select {
		case <-h.released:
			return h
		case <-again.C:
			r.look(h)
		case <-ctx.Done():
			r.giveUp(h, limit)
			<-h.released
			return h
		}
	}
}

// Elsewhere implements proxy.Policy: it finds another Pod after one took no
// connection. That Pod is often gone and the API server about to say so, so
// when there is no other the request gets in line, at the place of its arrival.
func (r *router) Elsewhere(req *proxy.Request, failed proxy.Target) (proxy.Target, error) {
	old, ok := failed.Owner.(*routing.Endpoint)
	if !ok {
		return proxy.Target{}, proxy.ErrNowhere
	}
	now := time.Now()
	old.Avoid(now.Add(avoidFor))
	account := old.Account
	if revision := r.view.Load().table.Revision(account.Namespace, account.Revision); revision != nil {
		if e := revision.Endpoint(now); e != nil && !e.Avoided(now) {
			old.End()
			e.Begin()
			failed.Addr, failed.Owner = e.Addr, e
			return failed, nil
		}
	}
	lost := &routing.Revision{Namespace: account.Namespace, Name: account.Revision, Account: account}
	h := r.wait(req, routing.Choice{Revision: lost, Path: failed.Path}, failed.Timeout)
	if h.err != nil {
		if last := h.choice.Revision.Account; last != account { // Done ends it where it began
			last.End(time.Now())
			account.Begin(time.Now())
		}
		return proxy.Target{}, h.err
	}
	old.End()
	return destination(h.choice, h.endpoint), nil
}

// refusal turns the table's answer into the proxy's.
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

// Done implements proxy.Policy: it counts the request, and logs it if asked.
func (r *router) Done(req *proxy.Request) {
	if e, ok := req.Target.Owner.(*routing.Endpoint); ok {
		now := time.Now()
		e.End()
		e.Account.End(now)
		r.ended(e.Account, now)
		key := revisionKey{e.Account.Namespace, e.Account.Revision}
		c := r.view.Load().counters[key]
		if c == nil { // its last Pod and traffic went while it was on its way
			c = r.metrics.of(key)
		}
		c.count(req.Status, now.Sub(req.Start))
	} else {
		r.metrics.refuse(req.Status)
	}
	if r.access != nil {
		r.logAccess(req)
	}
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

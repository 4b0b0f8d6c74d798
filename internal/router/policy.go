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

// NewAttempt implements proxy.Policy.
func (r *router) NewAttempt() proxy.Attempt { return &attempt{router: r} }

// attempt is one request, from its arrival to its end.
type attempt struct {
	*router
	account  *routing.Account  // of the revision that it is counted for; nil: none
	endpoint *routing.Endpoint // the Pod where it is in flight; nil: none
}

// Admit implements proxy.Attempt: it finds the revision and a Pod of it, or
// waits for one. Where others wait already it goes to the end of their line.
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
	a.account = choice.Revision.Account
	a.account.Begin(req.Start)
	if a.account.Held() == 0 {
		if e := choice.Revision.Endpoint(req.Start); e != nil {
			e.Begin()
			return a.sendTo(choice, e), nil
		}
	}
	return a.wait(req, choice, choice.Service.Timeout)
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

// sendTo moves the request from its last Pod, if any, to one where it has begun.
func (a *attempt) sendTo(choice routing.Choice, e *routing.Endpoint) proxy.Target {
	a.moveTo(e)
	return proxy.Target{Addr: e.Addr, Path: choice.Path, Revision: choice.Revision.Name, Timeout: choice.Service.Timeout}
}

func (a *attempt) moveTo(e *routing.Endpoint) {
	if a.endpoint != nil {
		a.endpoint.End()
	}
	a.endpoint = e
}

// wait holds the request until a Pod has room for it, no longer than it may
// take in all. The traffic may have moved to another revision meanwhile.
func (a *attempt) wait(req *proxy.Request, choice routing.Choice, timeout time.Duration) (proxy.Target, error) {
	limit := a.hold
	if timeout > 0 {
		limit = min(limit, timeout)
	}
	h := a.held(req, choice, limit)
	a.account = h.choice.Revision.Account
	if h.err != nil {
		return proxy.Target{Revision: h.choice.Revision.Name}, h.err
	}
	return a.sendTo(h.choice, h.endpoint), nil
}

// held waits in the line until the request is released.
func (r *router) held(req *proxy.Request, choice routing.Choice, limit time.Duration) *held {
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

// Elsewhere implements proxy.Attempt: it finds another Pod after one took no
// connection. That Pod is often gone and the API server about to say so, so
// when there is no other the request gets in line, at the place of its arrival.
func (a *attempt) Elsewhere(req *proxy.Request) (proxy.Target, error) {
	now := time.Now()
	a.endpoint.Avoid(now.Add(avoidFor))
	account, target := a.account, req.Target
	if revision := a.view.Load().table.Revision(account.Namespace, account.Revision); revision != nil {
		if e := revision.Endpoint(now); e != nil && !e.Avoided(now) {
			e.Begin()
			a.moveTo(e)
			target.Addr = e.Addr
			return target, nil
		}
	}
	lost := &routing.Revision{Namespace: account.Namespace, Name: account.Revision, Account: account}
	return a.wait(req, routing.Choice{Revision: lost, Path: target.Path}, target.Timeout)
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

// Done implements proxy.Attempt: it counts the request, and logs it if asked.
func (a *attempt) Done(req *proxy.Request) {
	now := time.Now()
	if a.account != nil {
		a.account.End(now)
	}
	if e := a.endpoint; e != nil {
		e.End()
		a.ended(e.Account, now)
		key := revisionKey{e.Account.Namespace, e.Account.Revision}
		c := a.view.Load().counters[key]
		if c == nil { // its last Pod and traffic went while it was on its way
			c = a.metrics.of(key)
		}
		c.count(req.Status, now.Sub(req.Start))
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

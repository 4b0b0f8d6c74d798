// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"errors"
	"fmt"
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
	// reconnectFor bounds how long a request waits when no Pod of its revision
	// takes connections: time enough to learn that they are not ready.
	reconnectFor = 5 * time.Second
	// retryAfter is what a client is told that comes too early.
	retryAfter = time.Second
)

// Admit implements proxy.Policy: it finds the revision and a Pod of it.
func (r *router) Admit(req *proxy.Request) (proxy.Target, error) {
	v := r.view.Load()
	if v == nil {
		return proxy.Target{}, unavailable("the router does not know its InferenceServices yet")
	}
	choice, err := v.table.Route(routing.Request{Host: req.Host, Path: req.Path, Header: req.Header})
	if err != nil {
		return proxy.Target{}, refusal(err)
	}
	choice.Revision.Account.Begin(req.Start)
	if e := choice.Revision.Endpoint(req.Start); e != nil {
		return begin(choice, e), nil
	}
	return r.waitForPod(req, v, choice)
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

// begin counts the request at the Pod; Done or Elsewhere ends that.
func begin(choice routing.Choice, e *routing.Endpoint) proxy.Target {
	e.Begin()
	return proxy.Target{Addr: e.Addr, Revision: choice.Revision.Name, Timeout: choice.Service.Timeout, Path: choice.Path, Owner: e}
}

// waitForPod holds a request until its revision has a ready Pod.
func (r *router) waitForPod(req *proxy.Request, v *view, choice routing.Choice) (proxy.Target, error) {
	if r.held.Add(1) > maxHeld {
		r.held.Add(-1)
		choice.Revision.Account.End(time.Now())
		return r.noPod(choice, "and %d requests wait already", maxHeld)
	}
	defer r.held.Add(-1)
	r.loads.wake()
	ctx, cancel := context.WithTimeout(req.Context(), r.hold)
	defer cancel()
	for {
		select {
		case <-v.replaced:
		case <-ctx.Done():
			choice.Revision.Account.End(time.Now())
			return r.noPod(choice, "and none became ready within %v", r.hold)
		}
		v = r.view.Load()
		next, ok := v.table.Again(choice)
		if !ok { // the traffic moved on meanwhile, and the request with it
			choice.Revision.Account.End(time.Now())
			var err error
			if next, err = v.table.Route(routing.Request{Host: req.Host, Path: req.Path, Header: req.Header}); err != nil {
				return proxy.Target{}, refusal(err)
			}
			next.Revision.Account.Begin(time.Now())
		}
		choice = next
		if e := choice.Revision.Endpoint(time.Now()); e != nil {
			return begin(choice, e), nil
		}
	}
}

// noPod refuses a request, with the revision that it was for.
func (r *router) noPod(choice routing.Choice, format string, args ...any) (proxy.Target, error) {
	revision := choice.Revision
	return proxy.Target{Revision: revision.Name}, unavailable(fmt.Sprintf("revision %s/%s has no ready Pod, ", revision.Namespace, revision.Name) + fmt.Sprintf(format, args...))
}

// Elsewhere implements proxy.Policy: it finds another Pod after one took no
// connection. That Pod is often gone and the API server about to say so, so
// when there is no other it waits a little for news, and tries again.
func (r *router) Elsewhere(req *proxy.Request, failed proxy.Target) (proxy.Target, bool) {
	old, ok := failed.Owner.(*routing.Endpoint)
	if !ok {
		return proxy.Target{}, false
	}
	now := time.Now()
	old.Avoid(now.Add(avoidFor))
	v := r.view.Load()
	if e := otherPod(v, old, now); e != nil {
		return move(failed, old, e), true
	}
	if r.held.Add(1) > maxHeld {
		r.held.Add(-1)
		return proxy.Target{}, false
	}
	defer r.held.Add(-1)
	ctx, cancel := context.WithDeadline(req.Context(), req.Start.Add(reconnectFor))
	defer cancel()
	again := time.NewTicker(avoidFor / 10)
	defer again.Stop()
	for {
		select {
		case <-v.replaced:
		case <-again.C:
		case <-ctx.Done():
			return proxy.Target{}, false
		}
		v = r.view.Load()
		if e := otherPod(v, old, time.Now()); e != nil {
			return move(failed, old, e), true
		}
	}
}

// otherPod returns a Pod of the same revision that need not be avoided.
func otherPod(v *view, old *routing.Endpoint, now time.Time) *routing.Endpoint {
	revision := v.table.Revision(old.Account.Namespace, old.Account.Revision)
	if revision == nil {
		return nil
	}
	if e := revision.Endpoint(now); e != nil && !e.Avoided(now) {
		return e
	}
	return nil
}

// move ends the request at one Pod and begins it at another.
func move(t proxy.Target, from, to *routing.Endpoint) proxy.Target {
	from.End()
	to.Begin()
	t.Addr, t.Owner = to.Addr, to
	return t
}

// Done implements proxy.Policy: it counts the request, and logs it if asked.
func (r *router) Done(req *proxy.Request) {
	if e, ok := req.Target.Owner.(*routing.Endpoint); ok {
		now := time.Now()
		e.End()
		e.Account.End(now)
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

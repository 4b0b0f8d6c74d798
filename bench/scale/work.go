// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/serin-dev/serin/bench/internal/report"
)

const (
	// few is the number of services with which the work is counted first.
	few = 50
	// changed is the number of services that change: each goes up and down some times.
	changed, times = 20, 3
	// calm is how long no request may come before and after the count.
	calm = 2 * time.Second
)

// work is what has been done so far.
type work struct {
	requests, watched  float64 // by the API server: requests, and events of watches
	reconciles         float64 // by the controller
	controller, router float64 // allocations
}

func (w work) minus(o work) work {
	return work{w.requests - o.requests, w.watched - o.watched, w.reconciles - o.reconciles, w.controller - o.controller, w.router - o.router}
}

func (w work) over(n float64) work {
	return work{w.requests / n, w.watched / n, w.reconciles / n, w.controller / n, w.router / n}
}

// countWork counts the work of a change with few services and with more. A change
// costs what changed if it is the same.
func (s *system) countWork(ctx context.Context, o options, r *report.Report) error {
	var counts [2]work
	from := 0
	for i, services := range []int{few, o.services} {
		at := fmt.Sprintf("%d services", services)
		if err := s.each(ctx, from, services, s.create); err != nil {
			return err
		}
		if err := s.services.await(ctx, at, services, func(st state) bool { return st.ready }, s.nodes.failed); err != nil {
			return err
		}
		if i == 0 {
			if err := s.each(ctx, 0, changed, s.canary); err != nil {
				return err
			}
			if err := s.services.await(ctx, "canaries", changed, func(st state) bool { return st.split }, s.nodes.failed); err != nil {
				return err
			}
		}
		from = services
		var err error
		if counts[i], err = s.workOfChanges(ctx); err != nil {
			return err
		}
		r.Add("work-requests", at, counts[i].requests)
		r.Add("work-watched", at, counts[i].watched)
		r.Add("work-reconciles", at, counts[i].reconciles)
		r.Add("work-allocations", "controller, "+at, counts[i].controller)
		r.Add("work-allocations", "router, "+at, counts[i].router)
	}
	growth := counts[1].minus(counts[0]).over(float64(o.services - few))
	r.Add("work-growth", "controller", max(0, growth.controller)) // less is noise
	r.Add("work-growth", "router", max(0, growth.router))
	return nil
}

// workOfChanges returns the work of one change, the mean of many.
func (s *system) workOfChanges(ctx context.Context) (work, error) {
	first, err := s.settledWork(ctx)
	if err != nil {
		return work{}, err
	}
	before, err := s.settledWork(ctx)
	if err != nil {
		return work{}, err
	}
	for n := range 2 * times * changed {
		// No request is sent: their number would depend on the time that a change takes.
		if _, err := s.changeStatus(ctx, n/2%changed, n%2 == 0); err != nil {
			return work{}, err
		}
	}
	after, err := s.settledWork(ctx)
	counting := before.minus(first) // the programs work for it, too
	return after.minus(before).minus(counting).over(2 * times * changed), err
}

// settledWork returns the work so far, once all of it is done.
func (s *system) settledWork(ctx context.Context) (w work, err error) {
	if err := s.settle(ctx, calm); err != nil {
		return w, err
	}
	api, err := s.client.RESTClient().Get().AbsPath("/metrics").DoRaw(ctx)
	if err != nil {
		return w, err
	}
	controller, err := scrape(ctx, s.metrics)
	if err != nil {
		return w, err
	}
	router, err := scrape(ctx, s.admin)
	if err != nil {
		return w, err
	}
	return work{
		requests: sum(api, requests), watched: sum(api, watched), reconciles: sum(controller, reconciles),
		controller: sum(controller, allocations), router: sum(router, allocations),
	}, nil
}

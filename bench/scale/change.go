// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/serin-dev/serin/bench/internal/report"
)

// changes are single ones, one after the other.
type changes struct {
	status, answer, all []float64 // milliseconds of each
	requests            int       // to the API, of all
	controller, router  float64   // milliseconds of CPU of all
}

// report adds what the changes took: from the patch to the status, from there to the
// first answer, and both.
func (c changes) report(r *report.Report) {
	n := float64(len(c.all))
	if n == 0 {
		return
	}
	for _, part := range []struct {
		name string
		took []float64
	}{{"scale-status", c.status}, {"scale-answer", c.answer}, {"scale-change", c.all}} {
		r.Add(part.name+"-p50", "", report.Median(part.took))
		r.Add(part.name+"-p99", "", report.Percentile(part.took, 99))
	}
	r.Add("scale-change-max", "", report.Percentile(c.all, 100))
	r.Add("scale-change-requests", "", float64(c.requests)/n)
	r.Add("scale-change-cpu", "controller", c.controller/n)
	r.Add("scale-change-cpu", "router", c.router/n)
}

// change gives the canary of some services 99% of the traffic, and takes it away
// again.
func (s *system) change(ctx context.Context, times, services int) (c changes, err error) {
	before, err := s.apiRequests(ctx)
	if err != nil {
		return c, err
	}
	controller, router, err := s.use()
	if err != nil {
		return c, err
	}
	for n := range times {
		one, err := s.changeOne(ctx, n/2*7919%services, n%2 == 0) // both ways, and all over the place
		if err != nil {
			return c, err
		}
		c.status = append(c.status, milliseconds(one.status.Sub(one.patched)))
		c.answer = append(c.answer, milliseconds(one.answered.Sub(one.status)))
		c.all = append(c.all, milliseconds(one.answered.Sub(one.patched)))
	}
	laterController, laterRouter, err := s.use()
	if err != nil {
		return c, err
	}
	after, err := s.apiRequests(ctx)
	c.requests = after - before
	c.controller, c.router = 1000*(laterController.cpu-controller.cpu), 1000*(laterRouter.cpu-router.cpu)
	return c, err
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// moments are those of a change: its patch was sent, its status became known to
// this program, and the router answered by it.
type moments struct{ patched, status, answered time.Time }

// patience is how long a single change, and the first answer by it, may take.
const patience = 30 * time.Second

// changeOne changes a service, and waits for the first answer by it.
func (s *system) changeOne(ctx context.Context, i int, up bool) (moments, error) {
	m, err := s.changeStatus(ctx, i, up)
	if err != nil {
		return m, err
	}
	revision := name(i) + older
	if up {
		revision = name(i) + newer
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m.answered, err = s.awaitAnswer(ctx, i, revision)
	return m, err
}

// changeStatus gives the canary of a service 99% or nothing, and waits for the status.
func (s *system) changeStatus(ctx context.Context, i int, up bool) (m moments, err error) {
	percent := int64(0)
	if up {
		percent = 99
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	m.patched = time.Now()
	if err := s.patch(ctx, i, fmt.Sprintf(`{"spec":{"predictor":{"canaryTrafficPercent":%d}}}`, percent)); err != nil {
		return m, err
	}
	m.status, err = s.services.awaitCanary(ctx, name(i), percent)
	return m, err
}

// pause lets others use the CPU between two questions to the router.
const pause = time.Millisecond

// awaitAnswer asks until a revision answers, and returns when it first did. One
// answer does not count unless the next is the revision's too: before the change it
// may have had a share of one percent.
func (s *system) awaitAnswer(ctx context.Context, i int, revision string) (first time.Time, err error) {
	row := 0
	for {
		answered, err := s.ask(ctx, i)
		if err != nil {
			return first, err
		}
		switch {
		case answered != revision:
			row = 0
		case row == 1:
			return first, nil
		default:
			row, first = 1, time.Now()
		}
		select {
		case <-ctx.Done():
			return first, fmt.Errorf("%s: %s still answers, and not %s: %w", name(i), answered, revision, context.Cause(ctx))
		case <-time.After(pause):
		}
	}
}

// ask sends a request, and returns the revision that answered.
func (s *system) ask(ctx context.Context, i int) (string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.requests+"/v1/models/"+name(i), nil)
	if err != nil {
		return "", err
	}
	req.Host = name(i) + "." + s.namespace(i) + ".example.com"
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }() // read to its end
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, body)
	}
	return res.Header.Get("Serin-Revision"), err
}

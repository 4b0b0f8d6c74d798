// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Command scale measures controller and router with thousands of services: how
// long until all are Ready, how much memory the two hold, how many API requests
// a change costs, how soon a change reaches the router, and where its time goes.
//
// The API is that of `serin up` without its controller, router and node:
// serin-controller and serin-router run as programs, as in a cluster. This program
// plays the nodes, whose Pods become ready at once. The Pods have loopback
// addresses, and one server answers on all of them, so requests go all the way.
//
//	go run ./bench/scale -bin bin -services 5000
//	go run ./bench/scale -bin bin -services 500 -for 10m   # ends after 10 minutes, with what it has
//	go run ./bench/scale -bin bin -work                    # counts the work of a change, with few services and with more
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/serin-dev/serin/bench/internal/report"
)

type options struct {
	bin, file         string
	services, ceiling int
	changes           int
	pause, limit      time.Duration
	work              bool
}

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "bin", "folder with the programs")
	flag.StringVar(&o.file, "json", "", "file that gets the numbers")
	flag.IntVar(&o.services, "services", 5000, "InferenceServices, of two revisions each")
	flag.IntVar(&o.ceiling, "ceiling", 400, "the most services in a namespace")
	flag.IntVar(&o.changes, "changes", 200, "how many single changes to measure")
	flag.DurationVar(&o.pause, "quiet", 30*time.Second, "how long to watch that nothing is done when nothing changes")
	flag.DurationVar(&o.limit, "for", 0, "end after this time, and report what was measured until then (0: no limit)")
	flag.BoolVar(&o.work, "work", false, "count the work of a change instead, which does not depend on the machine")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	if o.limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, o.limit, fmt.Errorf("the %v of -for are over", o.limit))
		defer cancel()
	}
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/scale:", err)
		os.Exit(1)
	}
}

// run measures, and reports what it measured even if it did not come to the end.
func run(ctx context.Context, o options) error {
	s, err := start(ctx, o)
	if s != nil {
		defer s.stop()
	}
	if err != nil {
		return err
	}
	var r report.Report
	measure := s.measure
	if o.work {
		measure = s.countWork
	}
	err = measure(ctx, o, &r)
	return errors.Join(err, r.Write(o.file))
}

// measure measures times, memory and CPU.
func (s *system) measure(ctx context.Context, o options, r *report.Report) error {
	fmt.Printf("%d services in %d namespaces\n", o.services, s.namespaces)
	if err := s.all(ctx, r, "one revision each", o.services, s.create, func(st state) bool { return st.ready }); err != nil {
		return err
	}
	if err := s.all(ctx, r, "two revisions each", o.services, s.canary, func(st state) bool { return st.split }); err != nil {
		return err
	}
	if err := s.settle(ctx, settled); err != nil {
		return err
	}
	quiet, err := s.during(ctx, o.pause)
	if err != nil {
		return err
	}
	r.Add("scale-quiet-requests", "", float64(quiet.requests))
	r.Add("scale-quiet-cpu", "controller", quiet.controller)
	r.Add("scale-quiet-cpu", "router", quiet.router)
	changes, err := s.change(ctx, o.changes, o.services)
	changes.report(r)
	return errors.Join(err, s.memory(r, "after the changes"))
}

// all does something with all services, waits until they fulfil a condition, and
// adds what it took.
func (s *system) all(ctx context.Context, r *report.Report, at string, services int, do func(context.Context, int) error, fulfils func(state) bool) error {
	begin := time.Now()
	if err := s.each(ctx, 0, services, do); err != nil {
		return err
	}
	r.Add("scale-write", at, time.Since(begin).Seconds())
	if err := s.services.await(ctx, at, services, fulfils, s.nodes.failed); err != nil {
		return err
	}
	r.Add("scale-ready", at, time.Since(begin).Seconds())
	controller, router, err := s.use()
	if err != nil {
		return err
	}
	r.Add("scale-controller-cpu", at, controller.cpu)
	r.Add("scale-router-cpu", at, router.cpu)
	return s.memory(r, at)
}

// memory adds what controller and router hold.
func (s *system) memory(r *report.Report, at string) error {
	controller, router, err := s.use()
	if err != nil {
		return err
	}
	r.Add("scale-controller-memory", at, controller.resident)
	r.Add("scale-router-memory", at, router.resident)
	return nil
}

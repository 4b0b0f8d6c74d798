// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Command scale measures controller and router with thousands of services: how
// long until all are Ready, how much memory the two hold, how many API requests
// a change costs, and how soon a change reaches the router.
//
// The API is that of `serin up` without its controller, router and node:
// serin-controller and serin-router run as programs, as in a cluster, and kwok
// plays nodes whose Pods become ready at once. The Pods have loopback
// addresses, and one server answers on all of them, so requests go all the way.
//
//	go install sigs.k8s.io/kwok/cmd/kwok@v0.8.0
//	go run ./bench/scale -bin bin -services 5000
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"time"

	"github.com/serin-dev/serin/bench/internal/report"
)

type options struct {
	bin, kwok, file   string
	services, changes int
	pause             time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "bin", "folder with the programs")
	flag.StringVar(&o.kwok, "kwok", "kwok", "the program kwok")
	flag.StringVar(&o.file, "json", "", "file that gets the numbers")
	flag.IntVar(&o.services, "services", 5000, "InferenceServices, of two revisions each")
	flag.IntVar(&o.changes, "changes", 200, "how many single changes to measure")
	flag.DurationVar(&o.pause, "quiet", 30*time.Second, "how long to watch that nothing is done when nothing changes")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/scale:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) error {
	if _, err := exec.LookPath(o.kwok); err != nil {
		return fmt.Errorf("%w: go install sigs.k8s.io/kwok/cmd/kwok@v0.8.0", err)
	}
	s, err := start(ctx, o)
	if s != nil {
		defer s.stop()
	}
	if err != nil {
		return err
	}
	var r report.Report
	fmt.Printf("%d services on nodes of kwok\n", o.services)
	if err := s.all(ctx, &r, "one revision each", o.services, s.create, ready); err != nil {
		return err
	}
	if err := s.all(ctx, &r, "two revisions each", o.services, s.canary, split); err != nil {
		return err
	}
	quiet, err := s.watchQuiet(ctx, o.pause)
	if err != nil {
		return err
	}
	r.Add("scale-quiet-requests", "", float64(quiet.requests))
	r.Add("scale-quiet-cpu", "controller", quiet.controller)
	r.Add("scale-quiet-cpu", "router", quiet.router)
	changes, err := s.change(ctx, o.changes, o.services)
	if err != nil {
		return err
	}
	r.Add("scale-change-p50", "", report.Median(changes.took))
	r.Add("scale-change-p99", "", report.Percentile(changes.took, 99))
	r.Add("scale-change-max", "", report.Percentile(changes.took, 100))
	r.Add("scale-change-requests", "", float64(changes.requests)/float64(len(changes.took)))
	return r.Write(o.file)
}

// all does something with all services, waits until they fulfil a condition, and
// adds what it took.
func (s *system) all(ctx context.Context, r *report.Report, at string, services int, do func(context.Context, int) error, fulfils condition) error {
	begin := time.Now()
	if err := s.each(ctx, services, do); err != nil {
		return err
	}
	r.Add("scale-write", at, time.Since(begin).Seconds())
	if err := s.await(ctx, at, services, fulfils); err != nil {
		return err
	}
	r.Add("scale-ready", at, time.Since(begin).Seconds())
	controller, err := use(s.controller)
	if err != nil {
		return err
	}
	router, err := use(s.router)
	if err != nil {
		return err
	}
	r.Add("scale-controller-memory", at, controller.resident)
	r.Add("scale-router-memory", at, router.resident)
	r.Add("scale-controller-cpu", at, controller.cpu)
	r.Add("scale-router-cpu", at, router.cpu)
	return nil
}

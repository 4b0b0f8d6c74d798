// SPDX-License-Identifier: Apache-2.0

//go:build linux

// Command scale measures controller and router with thousands of services: how
// long until all are Ready, what the two hold in memory, what a change costs in
// API requests, and how soon one reaches the router while all the others exist.
//
// The API is that of `serin up`, whose own controller, router and node are left
// out: serin-controller and serin-router run as programs, as in a cluster, and
// kwok plays nodes whose Pods become ready by themselves. Their addresses are of
// loopback, where one server answers for all, so that requests go all the way.
//
//	go install sigs.k8s.io/kwok/cmd/kwok@v0.8.0
//	go run ./bench/scale -bin bin -services 5000
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"time"
)

type options struct {
	bin, kwok         string
	services, changes int
	pause             time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.bin, "bin", "bin", "folder with the programs")
	flag.StringVar(&o.kwok, "kwok", "kwok", "the program kwok")
	flag.IntVar(&o.services, "services", 5000, "InferenceServices, of two revisions each")
	flag.IntVar(&o.changes, "changes", 200, "how many single changes to measure")
	flag.DurationVar(&o.pause, "quiet", 30*time.Second, "how long to watch that nothing is done when nothing happens")
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
	s, err := start(ctx, o)
	if s != nil {
		defer s.stop()
	}
	if err != nil {
		return err
	}
	fmt.Printf("%d services on nodes of kwok\n", o.services)
	begin := time.Now()
	if err := s.each(ctx, o.services, s.create); err != nil {
		return err
	}
	created := time.Since(begin)
	if err := s.await(ctx, "Ready", o.services, ready); err != nil {
		return err
	}
	fmt.Printf("all created after %.0f s, all Ready after %.0f s\n", created.Seconds(), time.Since(begin).Seconds())
	s.report("one revision each")

	begin = time.Now()
	if err := s.each(ctx, o.services, s.canary); err != nil {
		return err
	}
	if err := s.await(ctx, "split", o.services, split); err != nil {
		return err
	}
	fmt.Printf("a canary for each: all split after %.0f s\n", time.Since(begin).Seconds())
	s.report("two revisions each")

	quiet, err := s.watchQuiet(ctx, o.pause)
	if err != nil {
		return err
	}
	fmt.Printf("in %v in which nothing happens: controller %.2f s of CPU, router %.2f s, %d requests to the kinds of a rollout\n",
		o.pause, quiet.controller, quiet.router, quiet.requests)

	changes, err := s.change(ctx, o.changes, o.services)
	if err != nil {
		return err
	}
	slices.Sort(changes.took)
	at := func(q float64) float64 { return changes.took[int(q*float64(len(changes.took)-1))].Seconds() * 1000 }
	fmt.Printf("%d single changes, from the patch to the router's first answer by it: p50 %.0f ms, p99 %.0f ms, max %.0f ms\n", len(changes.took), at(0.5), at(0.99), at(1))
	fmt.Printf("requests to the API for each, the patch included: %.1f\n", float64(changes.requests)/float64(len(changes.took)))
	s.report("in the end")
	return nil
}

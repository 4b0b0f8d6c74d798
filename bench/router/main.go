// SPDX-License-Identifier: Apache-2.0

// Command router measures what the data plane costs beside its peers: nginx
// with split_clients, HAProxy with weights, and net/http's ReverseProxy, which
// is the core of Knative's queue-proxy. Router, and router with queue, take
// turns with them, with one service and with many. Each service sends a tenth
// of its requests to a canary.
//
// The backend is an nginx that answers a POST of 130 bytes with a constant of
// 130 bytes. For the CPU time of a request, wrk keeps 32 connections busy. For
// the latency that a proxy adds, requests begin at a fixed rate, and the
// latency without a proxy is subtracted. Ratios are those of one round.
//
// The proxies run on one CPU, load and backend on another. Both should be idle:
// other work on a proxy's CPU makes its requests dearer.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/serin-dev/serin/bench/internal/report"
)

// options are the command's flags.
type options struct {
	rounds   int
	seconds  int
	rate     int
	services []int
	idle     int // connections; if set, nothing else is measured
	file     string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/router:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	if role := os.Getenv(roleVariable); role != "" {
		return serve(ctx, role)
	}
	opts, err := parseFlags()
	if err != nil {
		return err
	}
	var r report.Report
	if opts.idle > 0 {
		if err := measureIdle(ctx, opts, &r); err != nil {
			return err
		}
		return r.Write(opts.file)
	}
	for _, tool := range []string{"nginx", "haproxy", "wrk", "taskset"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is not installed: apt-get install nginx haproxy wrk util-linux", tool)
		}
	}
	for _, n := range opts.services {
		proxies, err := compare(ctx, opts, n)
		if err != nil {
			return err
		}
		add(&r, opts, n, proxies)
	}
	return r.Write(opts.file)
}

func parseFlags() (options, error) {
	var opts options
	flag.IntVar(&opts.rounds, "rounds", 7, "how often each proxy has its turn")
	flag.IntVar(&opts.seconds, "seconds", 2, "length of a turn")
	flag.IntVar(&opts.rate, "rate", 2000, "requests per second when latency is measured; 0: do not")
	flag.IntVar(&opts.idle, "idle", 0, "measure only what so many idle connections hold in the router, 9000 say; needs nginx")
	services := flag.String("services", "1,2,50", "how many services the proxies know; each number is measured")
	flag.StringVar(&opts.file, "json", "", "file that gets the numbers")
	flag.Parse()
	for text := range strings.SplitSeq(*services, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return opts, fmt.Errorf("-services: %q is not a number of services", text)
		}
		opts.services = append(opts.services, n)
	}
	if opts.rounds < 1 || opts.seconds < 1 {
		return opts, fmt.Errorf("-rounds and -seconds must be positive")
	}
	return opts, nil
}

// compare gives every proxy its turn in every round.
func compare(ctx context.Context, opts options, services int) ([]*proxy, error) {
	dir, err := os.MkdirTemp("", "serin-bench-router-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left is small, and in /tmp
	p := &processes{ctx: ctx, dir: dir}
	defer p.stop()
	proxies, err := p.start(services)
	if err != nil {
		return nil, err
	}
	for round := range opts.rounds + 1 { // the first warms up
		for _, target := range proxies {
			t, err := p.turn(target, opts, services)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", target.name, err)
			}
			if round > 0 {
				target.turns = append(target.turns, t)
			}
		}
	}
	for _, target := range proxies {
		if target.idle, err = idleMemory(ctx, target); err != nil {
			return nil, fmt.Errorf("%s: idle connections: %w", target.name, err)
		}
	}
	return proxies, nil
}

// turn measures a proxy once.
func (p *processes) turn(target *proxy, opts options, services int) (turn, error) {
	var t turn
	var err error
	if len(target.pids) > 0 {
		if err := t.measureCPU(p, target, opts.seconds, services); err != nil {
			return t, err
		}
	}
	if opts.rate > 0 {
		t.latency, err = p.measureLatency(target, opts, services)
	}
	return t, err
}

const startTimeout = 10 * time.Second

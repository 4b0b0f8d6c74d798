// SPDX-License-Identifier: Apache-2.0

// Command router measures what the data plane costs beside its peers: nginx
// with split_clients, HAProxy with weights, and net/http's ReverseProxy, which
// is what Knative's queue-proxy is built around. Router and router with queue
// take turns with them in the same run, at one service and at many, each
// sending a tenth of its requests to a canary.
//
// Two loads go to the same backend, an nginx that returns a constant of 130
// bytes for a POST of 130 bytes. For the CPU time per request, wrk keeps 32
// connections busy. For the latency that a proxy adds, requests begin at a
// fixed rate whatever becomes of those before, and the same without a proxy is
// taken off. Medians of all rounds are printed, and ratios of the same round.
//
// The proxies run on one CPU, load and backend on another, so two are needed,
// and they should be idle: what shares a CPU with a proxy makes its requests
// dearer.
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
)

// options are the command's flags.
type options struct {
	rounds   int
	seconds  int
	rate     int
	services []int
	idle     int                // connections; if set, nothing else is measured
	budgets  map[string]float64 // CPU per request, as a multiple of nginx's, by proxy
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
	if opts.idle > 0 {
		return measureIdle(ctx, opts)
	}
	for _, tool := range []string{"nginx", "haproxy", "wrk", "taskset"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is not installed: apt-get install nginx haproxy wrk util-linux", tool)
		}
	}
	var exceeded []string
	for _, n := range opts.services {
		proxies, err := compare(ctx, opts, n)
		if err != nil {
			return err
		}
		if err := report(os.Stdout, opts, n, proxies); err != nil {
			return err
		}
		exceeded = append(exceeded, overBudget(opts, n, proxies)...)
	}
	if len(exceeded) > 0 {
		return fmt.Errorf("over budget: %s", strings.Join(exceeded, "; "))
	}
	return nil
}

func parseFlags() (options, error) {
	opts := options{budgets: map[string]float64{}}
	flag.IntVar(&opts.rounds, "rounds", 5, "how often each proxy has its turn")
	flag.IntVar(&opts.seconds, "seconds", 2, "length of a turn")
	flag.IntVar(&opts.rate, "rate", 2000, "requests per second when latency is measured; 0: do not")
	flag.IntVar(&opts.idle, "idle", 0, "measure only what so many idle connections hold in the router, 10000 say; needs nginx")
	services := flag.String("services", "1,2,50", "how many services the proxies know, one table for each number")
	router := flag.Float64("budget", 0, "fail if the router costs more than this times nginx; 0: only print")
	queue := flag.Float64("queue-budget", 0, "fail if router and queue together cost more than this times nginx")
	flag.Parse()
	opts.budgets[routerRole], opts.budgets[routerQueue] = *router, *queue
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

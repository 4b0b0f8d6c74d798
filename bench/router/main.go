// SPDX-License-Identifier: Apache-2.0

// Command router measures what the data plane costs: the CPU time that a proxy
// uses per request, for Serin's router, for router and queue together, and for
// nginx splitting the same traffic with split_clients. All carry the same load
// (wrk, one thread, 32 connections, POST of 130 bytes, keep-alive) to the same
// backend (nginx returning a constant of 130 bytes), taking turns in the same
// run; medians and the ratios to nginx are printed. The proxies run on one CPU,
// load and backend on another, so two are needed, and they should be idle:
// what shares a CPU with a proxy makes its requests dearer.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

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
	rounds := flag.Int("rounds", 5, "how often each proxy has its turn")
	seconds := flag.Int("seconds", 3, "length of a turn")
	services := flag.Int("services", 1, "how many services the router has a table for")
	budget := flag.Float64("budget", 0, "fail if router/nginx is above; 0: only print")
	flag.Parse()
	for _, tool := range []string{"nginx", "wrk", "taskset"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%s is not installed: apt-get install nginx wrk util-linux", tool)
		}
	}
	dir, err := os.MkdirTemp("", "serin-bench-router-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left is small, and in /tmp
	proxies, stop, err := start(ctx, dir, *services)
	defer stop()
	if err != nil {
		return err
	}
	script := filepath.Join(dir, "post.lua")
	if err := os.WriteFile(script, []byte(wrkScript), 0o600); err != nil {
		return err
	}
	for round := range *rounds + 1 { // the first warms up
		for _, p := range proxies {
			m, err := measure(ctx, p, script, *seconds)
			if err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
			if round > 0 {
				p.runs = append(p.runs, m)
			}
		}
	}
	return report(proxies, *budget)
}

// report prints a line per proxy.
func report(proxies []*proxy, budget float64) error {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "proxy\tCPU/request\tof nginx\trequests/s\tp50\tp99\t")
	reference := median(proxies[0].runs, func(m measurement) float64 { return m.cpu })
	ratio := 0.0
	for _, p := range proxies {
		cpu := median(p.runs, func(m measurement) float64 { return m.cpu })
		if p.name == routerRole {
			ratio = cpu / reference
		}
		fmt.Fprintf(out, "%s\t%.1f us\t%.2f\t%.0f\t%s\t%s\t\n", p.name, cpu, cpu/reference,
			median(p.runs, func(m measurement) float64 { return m.rate }), middle(p.runs).p50, middle(p.runs).p99)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if budget > 0 && ratio > budget {
		return fmt.Errorf("the router costs %.2f times what nginx costs, the budget is %.2f", ratio, budget)
	}
	return nil
}

func median(runs []measurement, of func(measurement) float64) float64 {
	values := make([]float64, 0, len(runs))
	for _, m := range runs {
		values = append(values, of(m))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// middle is the run with the median rate.
func middle(runs []measurement) measurement {
	sorted := slices.Clone(runs)
	slices.SortFunc(sorted, func(a, b measurement) int { return int(a.rate - b.rate) })
	return sorted[len(sorted)/2]
}

var errTimeout = errors.New("it did not start within 10 s")

const startTimeout = 10 * time.Second

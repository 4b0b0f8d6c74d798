// SPDX-License-Identifier: Apache-2.0

// Command coldstart measures how long the first request to a service at zero
// replicas takes, on a running `serin up` with the model in its cache, and
// where the time goes. It needs the built programs.
//
//	go run ./bench/coldstart -bin bin
//
// It sees the steps as everybody can, by watching the API, so that each is late
// by what a watch takes: a millisecond or two. The last step, the answer, is
// the client's own.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

func main() {
	bin := flag.String("bin", "bin", "directory of the built programs")
	rounds := flag.Int("n", 15, "cold starts to measure")
	budget := flag.Duration("budget", 0, "fail if the median takes longer (0: never)")
	log := flag.String("log", "", "file that gets serin's log")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *bin, *log, *rounds, *budget)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/coldstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bin, log string, rounds int, budget time.Duration) (err error) {
	h, err := start(ctx, bin, log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.stop()) }()
	if err := h.apply(ctx); err != nil {
		return err
	}
	starts := make([]timeline, 0, rounds)
	for range rounds {
		if err := h.asleep(ctx); err != nil {
			return err
		}
		t, err := h.wake(ctx)
		if err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "%v\n", t[answered].Round(time.Millisecond))
		starts = append(starts, t)
	}
	report(starts)
	if p50 := percentile(starts, answered, 50); budget > 0 && p50 > budget {
		return fmt.Errorf("the median is %v, the budget %v", p50, budget)
	}
	return nil
}

// report prints when each step was done, and how long it took by itself.
func report(starts []timeline) {
	const row = "%-34s %8s %8s %8s\n"
	fmt.Printf(row, fmt.Sprintf("ms since the request, %d starts", len(starts)), "p50", "p90", "alone")
	before := time.Duration(0)
	for s := range steps {
		p50 := percentile(starts, s, 50)
		fmt.Printf(row, names[s], ms(p50), ms(percentile(starts, s, 90)), ms(p50-before))
		before = p50
	}
	var all []string
	for _, t := range starts {
		all = append(all, ms(t[answered]))
	}
	fmt.Println("answers:", strings.Join(all, " "))
}

// percentile is of one step over all starts.
func percentile(starts []timeline, s step, p int) time.Duration {
	var times []time.Duration
	for _, t := range starts {
		times = append(times, t[s])
	}
	slices.Sort(times)
	return times[min(len(times)*p/100, len(times)-1)]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.0f", float64(d)/float64(time.Millisecond)) }

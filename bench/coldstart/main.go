// SPDX-License-Identifier: Apache-2.0

// Command coldstart measures how long the first request to a service at zero
// replicas takes, and where the time goes, on a running `serin up` with the
// model in its cache. It needs the built programs. Further arguments are flags
// of `serin up`.
//
//	go run ./bench/coldstart -bin bin -- --log-level=debug 2>log
//
// It sees the steps through watches of the API, so it sees each one a
// millisecond or two late. The answer is seen by the client itself.
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

func main() {
	bin := flag.String("bin", "bin", "directory of the built programs")
	rounds := flag.Int("rounds", 15, "cold starts to measure")
	file := flag.String("json", "", "file that gets the numbers")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *bin, *file, *rounds, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/coldstart:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, bin, file string, rounds int, flags []string) (err error) {
	h, err := start(ctx, bin, flags)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Stop()) }()
	if err := h.apply(ctx); err != nil {
		return err
	}
	var r report.Report
	for range rounds {
		if err := h.asleep(ctx); err != nil {
			return err
		}
		t, err := h.wake(ctx)
		if err != nil {
			return err
		}
		r.Add("coldstart", "", ms(t[answered]))
		before := time.Duration(0)
		for s, name := range names {
			r.Add("coldstart-step", name, ms(t[s]-before))
			before = t[s]
		}
	}
	return r.Write(file)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

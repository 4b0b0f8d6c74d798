// SPDX-License-Identifier: Apache-2.0

// Command rollout proves that a rollout loses no request. It starts a local
// Serin, loads one InferenceService at a fixed rate, open loop, and meanwhile
// rolls it out, back and forth: promotions, rollbacks, pins, aborted and
// replaced canaries, in an order drawn from a seed. In other modes Pods are
// deleted, processes killed, the controller killed, or revisions scaled to zero
// at the same time.
//
// Each request is recorded: when it was due, sent and answered, and by which
// revision. Afterwards each step is judged by these records (judge.go), never
// by Serin's own reports. The program fails if a request failed or a revision
// got another share than its own. It only reports times.
//
//	go run ./bench/rollout -bin bin -cycles 100 -rate 1000 -mode all
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/serin-dev/serin/bench/internal/report"
)

// options are what the command line says.
type options struct {
	bin    string
	cycles int
	rate   int
	seed   uint64
	dwell  time.Duration
	keep   bool
}

// modes are what happens beside the rollouts, in the order of "all".
var modes = []string{"plain", "delete-pods", "kill-processes", "restart-controller", "scale-to-zero"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/rollout:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var o options
	flag.StringVar(&o.bin, "bin", "bin", "directory of the built programs")
	flag.IntVar(&o.cycles, "cycles", 100, "cycles in each mode")
	flag.IntVar(&o.rate, "rate", 1000, "requests per second")
	flag.Uint64Var(&o.seed, "seed", 1, "what the order of cycles and the victims are drawn from")
	flag.DurationVar(&o.dwell, "dwell", 1500*time.Millisecond, "how long each split is kept; its middle third is judged")
	flag.BoolVar(&o.keep, "keep", false, "keep the data directories, with an access log")
	mode := flag.String("mode", "plain", "comma-separated: "+strings.Join(modes, ", ")+"; or all")
	file := flag.String("json", "", "file that gets the numbers")
	flag.Parse()
	chosen := strings.Split(*mode, ",")
	if *mode == "all" {
		chosen = modes
	}
	for _, m := range chosen {
		if !slices.Contains(modes, m) {
			return fmt.Errorf("-mode %s: must be one of %s, or all", m, strings.Join(modes, ", "))
		}
	}
	var results []*result
	var r report.Report
	var errs []error
	for _, m := range chosen {
		proven, err := prove(ctx, o, m)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", m, err))
		}
		if proven != nil {
			results = append(results, proven)
			proven.add(&r)
			errs = append(errs, proven.verdict())
		}
		if ctx.Err() != nil {
			break
		}
	}
	errs = append(errs, show(os.Stdout, results), r.Write(*file))
	return errors.Join(errs...)
}

// prove runs all cycles in one mode.
func prove(ctx context.Context, o options, mode string) (_ *result, err error) {
	fmt.Printf("== %s: %d cycles at %d requests/s, seed %d\n", mode, o.cycles, o.rate, o.seed)
	s, err := start(ctx, o, mode == "restart-controller")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	trouble := &trouble{system: s, rng: random(o.seed, 1)}
	troubling, calm := context.WithCancel(ctx)
	defer calm()
	troubled := make(chan error, 1)
	go func() { troubled <- trouble.run(troubling, mode) }()

	load := newGenerator(s.Router, o.rate)
	story := &story{system: s, load: load, rng: random(o.seed, 2), dwell: o.dwell, toZero: mode == "scale-to-zero"}
	if err := story.begin(ctx); err != nil {
		calm()
		return nil, errors.Join(err, <-troubled)
	}
	loading, end := context.WithCancel(ctx)
	defer end()
	loaded := make(chan struct{})
	go func() { defer close(loaded); load.run(loading) }()

	err = story.tell(ctx, o.cycles)
	calm()
	err = errors.Join(err, <-troubled)
	end()
	<-loaded
	return judge(mode, story, trouble), err
}

// random returns a generator for one purpose. Its numbers do not depend on how
// often the generators for other purposes were used.
func random(seed, purpose uint64) *rand.Rand {
	return rand.New(rand.NewPCG(seed, purpose)) //nolint:gosec // a story, not a secret
}

// SPDX-License-Identifier: Apache-2.0

// Command models compares predictions with those of the libraries that made the
// models, and with other servers of them.
//
// In process, a model takes turns with its library: scikit-learn, XGBoost or
// LightGBM. Both use one core, and have the same rows in memory as they take them.
// What counts is the CPU time of a call, garbage collection included, so other work
// on the machine matters little. The answers are compared before.
//
// Over HTTP and gRPC, serin-modelserver takes turns with a server that uses KServe's
// package and with MLServer. Each has the first core, and the clients the others.
// What counts is the time until an answer is read. Here, too, the answers are
// compared before.
//
// A number is our time divided by the peer's. It makes what it needs in the user's
// cache: the virtual environments by tools/python.sh, and the models by peer.py.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"

	"github.com/serin-dev/serin/bench/internal/report"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/models:", err)
		os.Exit(1)
	}
}

type options struct {
	models  *regexp.Regexp // in process
	served  *regexp.Regexp // over HTTP and gRPC
	quick   bool
	rows    []int
	rounds  int
	length  time.Duration
	clients int
}

const (
	few  = "^(logistic|ridge|tree|gaussian-bayes|neighbours-tree|columns-logistic|tfidf-logistic)$" // trained in seconds
	some = "^(logistic|forest-100)$"
)

func run(ctx context.Context) error {
	var o options
	chosen := flag.String("models", ".", "models to compare in process, as a regular expression")
	served := flag.String("served", some, "models to compare over HTTP and gRPC, as a regular expression")
	flag.BoolVar(&o.quick, "quick", false, "compare a few models of scikit-learn in short turns, with up to 100 rows, in the environment of the stories")
	flag.IntVar(&o.rounds, "rounds", 5, "how often each has its turn")
	flag.DurationVar(&o.length, "length", 200*time.Millisecond, "length of a turn")
	flag.IntVar(&o.clients, "clients", 2, "connections")
	file := flag.String("json", "", "file that gets the numbers")
	flag.Parse()
	o.rows = []int{1, 100, 10000}
	if o.quick {
		o.rows, o.rounds, o.length = o.rows[:2], 3, 50*time.Millisecond
		*chosen, *served = few, "^logistic$"
	}
	var err error
	if o.models, err = regexp.Compile(*chosen); err != nil {
		return err
	}
	if o.served, err = regexp.Compile(*served); err != nil {
		return err
	}
	var r report.Report
	err = measure(ctx, &o, &r)
	return errors.Join(err, r.Write(*file))
}

func measure(ctx context.Context, o *options, r *report.Report) error {
	python, err := pythonOf(ctx, o)
	if err != nil {
		return err
	}
	l, err := prepare(ctx, python, func(name string) bool { return o.models.MatchString(name) || o.served.MatchString(name) })
	if err != nil {
		return err
	}
	var errs []error
	for _, part := range []struct {
		chosen  *regexp.Regexp
		compare func(context.Context, string, *options, *report.Report) error
	}{{o.models, l.compare}, {o.served, l.compareServers}} {
		for _, name := range l.names {
			if ctx.Err() != nil || !part.chosen.MatchString(name) {
				continue
			}
			if err := part.compare(ctx, name, o, r); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// pythonOf returns the environment of the libraries.
func pythonOf(ctx context.Context, o *options) (string, error) {
	if o.quick {
		folder, err := environmentOfServers(ctx)
		return filepath.Join(folder, kserve), err
	}
	folder, err := environment(ctx, "peers", "bench/models/peers.txt")
	return filepath.Join(folder, "peers"), err
}

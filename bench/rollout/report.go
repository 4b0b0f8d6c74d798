// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/serin-dev/serin/bench/internal/report"
)

// kinds are the steps in the order of the report.
var kinds = []string{"canary", "replace", "promote", "rollback", "pin", "abort"}

// result is what a mode proved.
type result struct {
	Mode       string
	Cycles     int
	Requests   int
	Failures   int
	Lost       int // with processes that were killed
	Deleted    int // Pods
	Killed     int // processes
	Restarts   int // of the controller
	Latency    *summary
	Wake       *summary // first answer from zero
	Windows    int      // in which the split was judged
	SplitError float64
	Astray     int // requests that reached a revision without a share
	Steps      []stepTimes
	Failed     []failure
}

// stepTimes are how soon after apply's return a kind of step reached clients.
type stepTimes struct {
	Kind  string
	Count int
	First *summary // request at a revision that had no share before
	Last  *summary // request at a revision that has none now
}

// failure is a request that must not have failed.
type failure struct {
	At       time.Time
	Took     float64 // seconds
	Revision string
	Error    string
}

// summary describes a set of durations, in milliseconds.
type summary struct{ P50, P99, Max float64 }

// summarize returns nil for nothing.
func summarize(d []time.Duration) *summary {
	if len(d) == 0 {
		return nil
	}
	slices.Sort(d)
	at := func(percent int) float64 { return float64(d[(len(d)-1)*percent/100].Microseconds()) / 1000 }
	return &summary{P50: at(50), P99: at(99), Max: at(100)}
}

func (s *summary) String() string {
	if s == nil {
		return "-"
	}
	return fmt.Sprintf("%.0f / %.0f / %.0f", s.P50, s.P99, s.Max)
}

// verdict returns an error if a request failed or a split was wrong.
func (r *result) verdict() error {
	var errs []error
	if r.Failures > 0 {
		errs = append(errs, fmt.Errorf("%s: %d of %d requests failed", r.Mode, r.Failures, r.Requests))
	}
	if r.Astray > 0 {
		errs = append(errs, fmt.Errorf("%s: %d requests reached a revision without a share", r.Mode, r.Astray))
	}
	if r.SplitError > 1 {
		errs = append(errs, fmt.Errorf("%s: a split was off by %.2f requests in %d", r.Mode, r.SplitError, window))
	}
	return errors.Join(errs...)
}

// add adds what is to be compared with bench/limits.yaml.
func (r *result) add(to *report.Report) {
	to.Add("rollout-failed", r.Mode, float64(r.Failures))
	to.Add("rollout-split", r.Mode, r.SplitError)
	if r.Mode != "plain" {
		return
	}
	for _, s := range r.Steps {
		switch {
		case s.Last == nil:
		case s.Kind == "pin" || s.Kind == "replace":
			to.Add("rollout-revision", s.Kind, s.Last.P99)
		default:
			to.Add("rollout-weights", s.Kind, s.Last.P99)
		}
	}
}

// show prints two tables: what each mode proved, and how soon steps reached the
// clients.
func show(out io.Writer, results []*result) error {
	const shownFailures = 20
	for _, r := range results {
		for _, f := range r.Failed[:min(len(r.Failed), shownFailures)] {
			fmt.Fprintf(out, "%s: failed at %s after %.3f s: %s %s\n", r.Mode, f.At.Format("15:04:05.000"), f.Took, f.Revision, f.Error)
		}
	}
	fmt.Fprintf(out, "\nTimes in ms: p50 / p99 / max.\n\n")
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MODE\tCYCLES\tREQUESTS\tFAILED\tASTRAY\tLATENCY\tSPLIT ERROR\tDISTURBANCES")
	for _, r := range results {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%d\t%s\t%.2f in %d\t%s\n", r.Mode, r.Cycles, r.Requests, r.Failures, r.Astray, r.Latency, r.SplitError, window, r.disturbances())
	}
	fmt.Fprintln(t, "\nMODE\tSTEP\tTIMES\tAPPLY TO FIRST\tAPPLY TO LAST")
	for _, r := range results {
		for _, s := range r.Steps {
			fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\n", r.Mode, s.Kind, s.Count, s.First, s.Last)
		}
	}
	return t.Flush()
}

// disturbances are what happened beside the rollouts.
func (r *result) disturbances() string {
	switch {
	case r.Killed > 0:
		return fmt.Sprintf("%d processes killed (%d requests lost with them), %d Pods deleted", r.Killed, r.Lost, r.Deleted)
	case r.Deleted > 0:
		return fmt.Sprintf("%d Pods deleted", r.Deleted)
	case r.Restarts > 0:
		return fmt.Sprintf("%d controllers killed", r.Restarts)
	case r.Wake != nil:
		return fmt.Sprintf("to zero each cycle; first answer after %s", r.Wake)
	}
	return "-"
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

// kinds are the steps in the order of the report.
var kinds = []string{"canary", "replace", "promote", "rollback", "pin", "abort"}

// result is what a mode proved.
type result struct {
	Mode       string      `json:"mode"`
	Cycles     int         `json:"cycles"`
	Requests   int         `json:"requests"`
	Failures   int         `json:"failures"`
	Lost       int         `json:"lostWithKilledProcesses"`
	Deleted    int         `json:"deletedPods"`
	Killed     int         `json:"killedProcesses"`
	Restarts   int         `json:"killedControllers"`
	Latency    *summary    `json:"latency"`
	Wake       *summary    `json:"firstAnswerFromZero,omitempty"`
	Windows    int         `json:"splitWindows"`
	SplitError float64     `json:"splitError"`
	Astray     int         `json:"astray"` // reached a revision without a share
	Steps      []stepTimes `json:"steps"`
	Failed     []failure   `json:"failed,omitempty"`
}

// stepTimes are how soon after apply's return a kind of step reached clients.
type stepTimes struct {
	Kind  string   `json:"kind"`
	Count int      `json:"count"`
	First *summary `json:"applyToFirst,omitempty"` // request at a revision that had no share
	Last  *summary `json:"applyToLast,omitempty"`  // request at a revision that has none now
}

// failure is a request that must not have failed.
type failure struct {
	At       time.Time `json:"at"`
	Took     float64   `json:"seconds"`
	Revision string    `json:"revision"`
	Error    string    `json:"error"`
}

// summary describes a set of durations, in milliseconds.
type summary struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

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

// verdict is an error if something is proven that must not be.
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

// report prints two tables: what each mode proved, and how soon steps reached
// the clients.
func report(out io.Writer, results []result) error {
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

func writeJSON(file string, results []result) error {
	b, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o600)
}

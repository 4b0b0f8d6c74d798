// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/dataplane/routing"
	"github.com/serin-dev/serin/internal/report"
)

// reports returns the next line of the router's report.
func (w *world) reports() (next func() report.Line) {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	w.t.Cleanup(cancel)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.admin+"/load", http.NoBody)
	if err != nil {
		w.t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = response.Body.Close() })
	lines := json.NewDecoder(response.Body)
	return func() report.Line {
		w.t.Helper()
		var r report.Line
		if err := lines.Decode(&r); err != nil {
			w.t.Fatal(err)
		}
		return r
	}
}

func TestLoadIsReportedWhenARequestBeginsToWait(t *testing.T) {
	w := newWorld(t)
	w.service(target(one, 100, ""))
	w.knows(one)
	next := w.reports()
	if diff := cmp.Diff(report.Line{Revisions: []report.Revision{}}, next()); diff != "" {
		t.Errorf("before any request: %s", diff)
	}
	answered := make(chan int, 1)
	asked := time.Now()
	go func() {
		status, _ := w.ask()
		answered <- status
	}()
	var got report.Line
	for len(got.Revisions) == 0 { // heartbeats
		got = next()
	}
	if took := time.Since(asked); took > report.Interval/2 {
		t.Logf("the wait was reported after %v: is the machine busy?", took)
	}
	if seconds := got.Revisions[0].Seconds; seconds < reportSoon.Seconds() || seconds > time.Since(asked).Seconds() {
		t.Errorf("it waited for %v s", seconds)
	}
	got.Revisions[0].Seconds = 0
	want := []report.Revision{{Namespace: "kserve-test", Name: one, InFlight: 1, Requests: 1}}
	if diff := cmp.Diff(want, got.Revisions); diff != "" {
		t.Error(diff)
	}
	w.pod(one, true, ok)
	if status := <-answered; status != 200 {
		t.Errorf("the request: %d", status)
	}
	eventually(t, "the end of the request is reported", func() (string, bool) {
		got = next()
		return fmt.Sprint(got), len(got.Revisions) == 1 && got.Revisions[0].InFlight == 0
	})
	if got = next(); len(got.Revisions) != 0 {
		t.Errorf("nothing changed, and this was reported: %+v", got)
	}
	if first := w.reports()(); len(first.Revisions) != 1 || first.Revisions[0].Requests != 1 {
		t.Errorf("a new reader reads %+v", first)
	}
}

func TestAnswersOfANamespaceAreReported(t *testing.T) {
	w := newWorld(t)
	w.service(target(one, 100, ""), target(two, 0, ""))
	w.pod(one, true, ok)
	w.knows(one)
	if status, _ := w.ask(); status != 200 {
		t.Fatalf("the request: %d", status)
	}
	var got map[string]report.Answers
	eventually(t, "the answer is counted", func() (string, bool) {
		var err error
		got, err = report.Read(t.Context(), http.DefaultClient, "http://"+w.admin, "kserve-test")
		return fmt.Sprint(got, err), err == nil && got[one].Count == 1
	})
	if a := got[one]; a.Errors != 0 || len(a.Durations) == 0 || a.Durations[len(a.Durations)-1].Count != 1 {
		t.Errorf("one answered %+v", a)
	}
	if a, known := got[two]; !known || a.Count != 0 {
		t.Errorf("a revision without requests: %+v, %v", a, known)
	}
	if other, err := report.Read(t.Context(), http.DefaultClient, "http://"+w.admin, "other"); err != nil || len(other) != 0 {
		t.Errorf("another namespace: %v, %v", other, err)
	}
}

// knows waits until the router has a revision with traffic in its table.
func (w *world) knows(revision string) {
	w.t.Helper()
	eventually(w.t, "the router knows "+revision, func() (string, bool) {
		table := w.router.view.Load().table
		r := table.Revision("kserve-test", revision)
		if r == nil {
			return "no revision", false
		}
		_, ok := table.Rebind(routing.Choice{Revision: r})
		return fmt.Sprintf("%+v", r), ok
	})
}

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

	"github.com/serin-dev/serin/internal/routing"
)

// reports returns what the router tells about its load next.
func (w *world) reports() (next func() routing.LoadReport) {
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
	return func() routing.LoadReport {
		w.t.Helper()
		var r routing.LoadReport
		if err := lines.Decode(&r); err != nil {
			w.t.Fatal(err)
		}
		return r
	}
}

func TestLoadIsToldWhenARequestBeginsToWait(t *testing.T) {
	w := newWorld(t)
	w.service(target(one, 100, ""))
	w.knows(one)
	next := w.reports()
	if diff := cmp.Diff(routing.LoadReport{Revisions: []routing.Load{}}, next()); diff != "" {
		t.Errorf("before any request: %s", diff)
	}
	answered := make(chan int, 1)
	asked := time.Now()
	go func() {
		status, _ := w.ask()
		answered <- status
	}()
	var got routing.LoadReport
	for len(got.Revisions) == 0 { // heartbeats
		got = next()
	}
	if took := time.Since(asked); took > tellEvery/2 {
		t.Logf("the wait was told after %v: is the machine busy?", took)
	}
	if seconds := got.Revisions[0].Seconds; seconds < tellSoon.Seconds() || seconds > time.Since(asked).Seconds() {
		t.Errorf("it waited for %v s", seconds)
	}
	got.Revisions[0].Seconds = 0
	want := []routing.Load{{Namespace: "kserve-test", Revision: one, InFlight: 1, Requests: 1}}
	if diff := cmp.Diff(want, got.Revisions); diff != "" {
		t.Error(diff)
	}
	w.pod(one, true, ok)
	if status := <-answered; status != 200 {
		t.Errorf("the request: %d", status)
	}
	eventually(t, "the end of the request is told", func() (string, bool) {
		got = next()
		return fmt.Sprint(got), len(got.Revisions) == 1 && got.Revisions[0].InFlight == 0
	})
	if got = next(); len(got.Revisions) != 0 {
		t.Errorf("nothing changed, and this was told: %+v", got)
	}
	if first := w.reports()(); len(first.Revisions) != 1 || first.Revisions[0].Requests != 1 {
		t.Errorf("a new reader is told %+v", first)
	}
}

// knows waits until the router has a revision in its table.
func (w *world) knows(revision string) {
	w.t.Helper()
	eventually(w.t, "the router knows "+revision, func() (string, bool) {
		r := w.router.view.Load().table.Revision("kserve-test", revision)
		return fmt.Sprintf("%+v", r), r != nil
	})
}

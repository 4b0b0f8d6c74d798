// SPDX-License-Identifier: Apache-2.0

package router

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/serin-dev/serin/internal/dataplane/routing"
	"github.com/serin-dev/serin/internal/report"
)

const (
	// reportSoon is how long a line waits for further requests after one began to
	// wait for a Pod.
	reportSoon = 5 * time.Millisecond
	// readWithin bounds how long a reader may leave a line unread.
	readWithin = 10 * time.Second
)

// loads are the readers of /load.
type loads struct {
	mu      sync.Mutex
	readers map[chan struct{}]struct{}
}

// join returns a channel that gets a value when a line is due at once.
func (l *loads) join() chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := make(chan struct{}, 1)
	if l.readers == nil {
		l.readers = map[chan struct{}]struct{}{}
	}
	l.readers[c] = struct{}{}
	return c
}

func (l *loads) leave(c chan struct{}) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.readers, c)
}

// wake sends all readers a line soon.
func (l *loads) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.readers {
		select {
		case c <- struct{}{}:
		default: // a line is already due
		}
	}
}

// report writes one line about a namespace, if the request names one. Otherwise
// it writes lines for as long as they are read: one at once, one in each
// interval, and one when a request begins to wait for a Pod, because the
// autoscaler learns only so that the revision is wanted.
func (r *router) report(w http.ResponseWriter, req *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := http.NewResponseController(w)
	write := func(l report.Line) bool {
		return out.SetWriteDeadline(time.Now().Add(readWithin)) == nil && l.Encode(w) == nil && out.Flush() == nil
	}
	if namespace := report.Namespace(req); namespace != "" {
		write(r.answers(namespace))
		return
	}
	wake := r.loads.join()
	defer r.loads.leave(wake)
	reported := map[*routing.RevisionStats]routing.Load{}
	tick := time.NewTicker(report.Interval)
	defer tick.Stop()
	for write(r.loadSince(reported)) {
		select {
		case <-req.Context().Done():
			return
		case <-tick.C:
		case <-wake:
			time.Sleep(reportSoon)
		}
	}
}

// loadSince returns the revisions that have requests, or had some since they were
// reported. It updates what was reported.
func (r *router) loadSince(reported map[*routing.RevisionStats]routing.Load) report.Line {
	var line report.Line
	v := r.view.Load()
	if v == nil {
		return line
	}
	maps.DeleteFunc(reported, func(a *routing.RevisionStats, _ routing.Load) bool {
		revision := v.table.Revision(a.Namespace, a.Revision)
		return revision == nil || revision.Stats != a
	})
	now := time.Now()
	for revision := range v.table.Revisions {
		l := revision.Stats.Load(now)
		if l.Requests > 0 && (l.InFlight > 0 || l != reported[revision.Stats]) {
			line.Revisions = append(line.Revisions, reportOf(revision, l))
			reported[revision.Stats] = l
		}
	}
	slices.SortFunc(line.Revisions, func(a, b report.Revision) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return line
}

// answers returns all revisions of a namespace, with what they have answered.
func (r *router) answers(namespace string) report.Line {
	var line report.Line
	v := r.view.Load()
	if v == nil {
		return line
	}
	now := time.Now()
	for revision := range v.table.Revisions {
		if revision.Namespace == namespace {
			one := reportOf(revision, revision.Stats.Load(now))
			one.Answers = answersOf(revision)
			line.Revisions = append(line.Revisions, one)
		}
	}
	return line
}

func reportOf(r *routing.Revision, l routing.Load) report.Revision {
	return report.Revision{Namespace: r.Namespace, Name: r.Name, InFlight: l.InFlight, Seconds: l.Seconds, Requests: l.Requests}
}

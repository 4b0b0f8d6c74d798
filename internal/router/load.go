// SPDX-License-Identifier: Apache-2.0

package router

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/serin-dev/serin/internal/routing"
)

const (
	// tellEvery is how often load is told. Also when there is none: a reader
	// that hears nothing for longer knows that the connection is dead.
	tellEvery = time.Second
	// tellSoon is how long after a request began to be held others are awaited
	// that go into the same line.
	tellSoon = 5 * time.Millisecond
	// tellWithin bounds how long a reader may leave a line unread.
	tellWithin = 10 * time.Second
)

// loads are the readers of /load.
type loads struct {
	mu      sync.Mutex
	readers map[chan struct{}]struct{}
}

// join returns a channel that gets a value when there is something to tell at
// once.
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

// wake makes all readers get a line soon.
func (l *loads) wake() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.readers {
		select {
		case c <- struct{}{}:
		default: // a line is due already
		}
	}
}

// tellLoad writes lines of JSON for as long as somebody reads them: one at
// once, one every second, and one when a request begins to wait for a Pod,
// because only then whoever scales the revision can know that it is wanted.
func (r *router) tellLoad(w http.ResponseWriter, req *http.Request) {
	wake := r.loads.join()
	defer r.loads.leave(wake)
	w.Header().Set("Content-Type", "application/x-ndjson")
	out := http.NewResponseController(w)
	line := json.NewEncoder(w)
	told := map[*routing.Account]routing.Load{}
	tick := time.NewTicker(tellEvery)
	defer tick.Stop()
	for {
		if out.SetWriteDeadline(time.Now().Add(tellWithin)) != nil || line.Encode(r.loadSince(told)) != nil || out.Flush() != nil {
			return // the reader left
		}
		select {
		case <-req.Context().Done():
			return
		case <-tick.C:
		case <-wake:
			time.Sleep(tellSoon)
		}
	}
}

// loadSince reports the revisions that have requests or had some that were not
// told, and notes in told what it reports.
func (r *router) loadSince(told map[*routing.Account]routing.Load) routing.LoadReport {
	report := routing.LoadReport{Revisions: []routing.Load{}} // not null
	v := r.view.Load()
	if v == nil {
		return report
	}
	maps.DeleteFunc(told, func(a *routing.Account, _ routing.Load) bool {
		revision := v.table.Revision(a.Namespace, a.Revision)
		return revision == nil || revision.Account != a
	})
	now := time.Now()
	for revision := range v.table.Revisions {
		l := revision.Account.Load(now)
		if l.Requests > 0 && (l.InFlight > 0 || l != told[revision.Account]) {
			report.Revisions = append(report.Revisions, l)
			told[revision.Account] = l
		}
	}
	slices.SortFunc(report.Revisions, func(a, b routing.Load) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Revision, b.Revision))
	})
	return report
}

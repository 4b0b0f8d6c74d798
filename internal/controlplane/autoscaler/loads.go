// SPDX-License-Identifier: Apache-2.0

package autoscaler

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/scale"
	"github.com/serin-dev/serin/internal/report"
)

// loads is what the routers reported, added up by the revisions' Deployments.
type loads struct {
	measured bool // some routers are configured

	mu        sync.Mutex
	routers   map[string]*router // by address
	since     time.Time          // since when all routers report; zero: not all do
	revisions map[types.NamespacedName]*revision
}

// router is what one router reported.
type router struct {
	expected bool      // the name resolves to it, or did when it last resolved
	latest   time.Time // when its last line came; zero: it reports nothing now
	sums     map[types.NamespacedName]report.Revision
}

// revision is the memory of one revision.
type revision struct {
	history scale.History
	window  time.Duration // how much of the history is needed
	state   scale.State
}

func newLoads(measured bool) *loads {
	return &loads{measured: measured, routers: map[string]*router{}, revisions: map[types.NamespacedName]*revision{}}
}

// expect records which routers there are, and returns those that are not followed
// yet. Others still count until they are disconnected.
func (l *loads) expect(addresses map[string]bool, now time.Time) (unfollowed []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for a, r := range l.routers {
		r.expected = addresses[a]
	}
	for a := range addresses {
		if l.routers[a] == nil {
			l.routers[a] = &router{expected: true}
			unfollowed = append(unfollowed, a)
		}
	}
	l.watch(now)
	return unfollowed
}

// record takes a line of a router and returns the Deployments that it is about.
func (l *loads) record(address string, now time.Time, line report.Line) []types.NamespacedName {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.routers[address]
	if r == nil {
		return nil
	}
	if r.latest.IsZero() {
		r.sums = map[types.NamespacedName]report.Revision{}
	}
	var named []types.NamespacedName
	for _, load := range line.Revisions {
		key := types.NamespacedName{Namespace: load.Namespace, Name: v1beta1.DeploymentName(load.Name)}
		if !r.latest.IsZero() { // the first line is where the sums start
			l.add(key, r.latest, now, r.sums[key], load)
		}
		r.sums[key] = load
		named = append(named, key)
	}
	r.latest = now
	l.watch(now)
	return named
}

// add records what came between two lines. Sums that became less started anew.
func (l *loads) add(key types.NamespacedName, from, to time.Time, before, load report.Revision) {
	if load.Seconds < before.Seconds || load.Requests < before.Requests {
		before = report.Revision{}
	}
	r := l.revision(key)
	r.history.Add(from, to, load.Seconds-before.Seconds, float64(load.Requests-before.Requests))
	r.history.Forget(to.Add(-r.window))
}

// disconnected drops the requests in flight of a router that reports no more, and
// reports whether the router is still expected. If it is not, the others go on
// being known without a gap.
func (l *loads) disconnected(address string) (expected bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.routers[address]
	if r == nil || !r.expected {
		delete(l.routers, address)
		return false
	}
	*r = router{expected: true}
	l.since = time.Time{}
	return true
}

// watch records since when all routers report that should.
func (l *loads) watch(now time.Time) {
	expected := false
	for _, r := range l.routers {
		if r.expected && r.latest.IsZero() {
			l.since = time.Time{}
			return
		}
		expected = expected || r.expected
	}
	if l.since.IsZero() && expected {
		l.since = now
	}
}

func (l *loads) revision(key types.NamespacedName) *revision {
	r := l.revisions[key]
	if r == nil {
		r = &revision{window: time.Minute}
		l.revisions[key] = r
	}
	return r
}

// decide asks package scale with the load of the revision.
func (l *loads) decide(key types.NamespacedName, in scale.Input) scale.Plan {
	if !l.measured {
		return scale.Decide(in)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.revision(key)
	r.window = in.Settings.Window
	in.State = r.state
	in.Load = &scale.Load{Since: l.since, Until: in.Now, History: r.history}
	for _, from := range l.routers {
		if from.latest.IsZero() {
			continue
		}
		in.Load.InFlight += int64(from.sums[key].InFlight)
		if from.latest.Before(in.Load.Until) {
			in.Load.Until = from.latest
		}
	}
	plan := scale.Decide(in)
	r.state = plan.State
	return plan
}

// forget drops a revision whose Deployment is gone.
func (l *loads) forget(key types.NamespacedName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.revisions, key)
	for _, r := range l.routers {
		delete(r.sums, key)
	}
}

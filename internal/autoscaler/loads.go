// SPDX-License-Identifier: Apache-2.0

package autoscaler

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/routing"
	"github.com/serin-dev/serin/internal/scale"
)

// loads is what the routers said, put together by the revisions' Deployments.
type loads struct {
	measured bool // there should be routers

	mu        sync.Mutex
	routers   map[string]*router // by address
	since     time.Time          // since when all routers are heard; zero: not all are
	revisions map[types.NamespacedName]*revision
}

// router is what one router said.
type router struct {
	expected bool      // it has a name, or had one when it was last asked for
	heard    time.Time // when its last line came; zero: it is not heard now
	sums     map[types.NamespacedName]routing.Load
}

// revision is what is remembered of a revision.
type revision struct {
	history scale.History
	window  time.Duration // how much of it is needed
	state   scale.State
}

func newLoads(measured bool) *loads {
	return &loads{measured: measured, routers: map[string]*router{}, revisions: map[types.NamespacedName]*revision{}}
}

// expect says which routers there are, and returns those that nobody follows
// yet. What is heard of others still counts, until they are lost.
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

// hear takes a line of a router and returns whose load it tells.
func (l *loads) hear(address string, now time.Time, report routing.LoadReport) []types.NamespacedName {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.routers[address]
	if r == nil {
		return nil
	}
	if r.heard.IsZero() {
		r.sums = map[types.NamespacedName]routing.Load{}
	}
	var named []types.NamespacedName
	for _, load := range report.Revisions {
		key := types.NamespacedName{Namespace: load.Namespace, Name: v1beta1.DeploymentName(load.Revision)}
		if !r.heard.IsZero() { // the first line only tells where the sums start
			l.add(key, r.heard, now, r.sums[key], load)
		}
		r.sums[key] = load
		named = append(named, key)
	}
	r.heard = now
	l.watch(now)
	return named
}

// add notes what came between two lines. Sums that became less started anew.
func (l *loads) add(key types.NamespacedName, from, to time.Time, before, load routing.Load) {
	if load.Seconds < before.Seconds || load.Requests < before.Requests {
		before = routing.Load{}
	}
	r := l.revision(key)
	r.history.Add(from, to, load.Seconds-before.Seconds, float64(load.Requests-before.Requests))
	r.history.Forget(to.Add(-r.window))
}

// lose forgets the requests in flight of a router that is not heard any more,
// and says whether it should be. That of one that left says nothing of the others.
func (l *loads) lose(address string) (expected bool) {
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

// watch notes since when all routers are heard that should be.
func (l *loads) watch(now time.Time) {
	expected := false
	for _, r := range l.routers {
		if r.expected && r.heard.IsZero() {
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

// decide asks package scale, with what is known of the revision's load.
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
		if from.heard.IsZero() {
			continue
		}
		in.Load.InFlight += int64(from.sums[key].InFlight)
		if from.heard.Before(in.Load.Until) {
			in.Load.Until = from.heard
		}
	}
	plan := scale.Decide(in)
	r.state = plan.State
	return plan
}

// forget drops what is known of a revision whose Deployment is gone.
func (l *loads) forget(key types.NamespacedName) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.revisions, key)
	for _, r := range l.routers {
		delete(r.sums, key)
	}
}

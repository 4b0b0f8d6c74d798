// SPDX-License-Identifier: Apache-2.0

// Package scale decides how many replicas a revision has. What the rollout
// needs, the revision's settings, its load and the time go in; a replica count
// and when to look again come out. It refuses to know where these come from:
// the autoscaler reads and writes.
//
// A revision with traffic has as many replicas as its average load over a
// window asks for, as Knative's autoscaler does
// (https://knative.dev/docs/serving/autoscaling/kpa-specific/):
//
//	          surge: the panic window asks for
//	          twice the ready replicas
//	stable ------------------------------------> panic
//	   ^                                           |
//	   +-------------------------------------------+
//	          a whole window without a surge
//
// In panic the shorter window counts too, and nothing is taken away. Otherwise
// it only forbids: what the last seconds need is not taken away either, which
// Knative would do while load rises slowly. The last replica goes after a
// window without a request, if the revision may have none. A request that finds
// none gets one at once.
//
// Times are not counted in calls: deciding twice changes nothing, and deciding
// late only delays.
package scale

import (
	"math"
	"slices"
	"time"
)

const (
	// idleDelay is how long a revision without traffic stays warm, so that an
	// immediate rollback costs no cold start.
	idleDelay = 30 * time.Second
	// tick is how soon to look again while the average changes by itself.
	tick = time.Second
	// No more than halved every two seconds, no more than a thousandfold at a
	// time: Knative's rates.
	halveEvery = 2 * time.Second
	maxGrowth  = 1000
)

// Input is a revision as it is.
type Input struct {
	// Replicas is how many there should be so far, Ready how many are.
	Replicas, Ready int32
	// Active revisions have traffic, or are being started.
	Active bool
	// IdleSince is when the revision ceased to be active. A revision that is
	// not active and has no such time is not kept warm.
	IdleSince time.Time
	// Min and Max bound the replicas while active; Max 0 means no bound.
	Min, Max int32
	Settings Settings
	// Load is nil if nobody measures it.
	Load *Load
	// State is that of the Plan before. The zero State is a fresh start.
	State State
	Now   time.Time
}

// State is what has to be remembered from decision to decision.
type State struct {
	busy   time.Time // when replicas were needed last
	surge  time.Time // when panic had a reason last
	halved time.Time // when replicas were taken away last
	peaks  []peak    // highest first: what was wanted within ScaleDownDelay
}

type peak struct {
	at       time.Time
	replicas int32
}

// Plan is a revision as it should be.
type Plan struct {
	Replicas int32
	// Why says what made the count, for the log.
	Why   string
	State State
	// Again is when to look again; zero means: when something changes.
	Again time.Duration
}

// Decide says how many replicas a revision should have now.
func Decide(in Input) Plan {
	switch {
	case !in.Active:
		return in.unrouted()
	case in.Load == nil:
		return Plan{Replicas: in.bound(max(1, in.Min)), Why: "nobody measures the load"}
	}
	return in.byLoad()
}

// unrouted keeps a revision without traffic for a rollback, and then for the
// requests that it still works on.
func (in Input) unrouted() Plan {
	if in.IdleSince.IsZero() {
		return Plan{Why: "stopped"}
	}
	// Noted before the clock was set back, it may lie far ahead.
	if warm := in.IdleSince.Add(idleDelay).Sub(in.Now); warm > 0 && warm <= 2*idleDelay {
		return Plan{Replicas: in.Replicas, Why: "warm for a rollback", Again: warm}
	}
	if in.Replicas > 0 && in.Load != nil && (in.Load.InFlight > 0 || in.Load.Since.IsZero()) {
		return Plan{Replicas: in.Replicas, Why: "requests are in flight", Again: tick}
	}
	return Plan{Why: "no traffic"}
}

// byLoad gives a revision with traffic what its load needs.
func (in Input) byLoad() Plan {
	s := in.State
	if s.busy.IsZero() || in.Min > 0 || in.Load.InFlight > 0 {
		s.busy = in.Now
	}
	s.busy = later(s.busy, in.Load.History.last)

	want, why := in.wanted(&s)
	if want == 0 && in.Min == 0 && in.Replicas > 0 && in.Now.Before(in.zeroAt(s)) {
		want, why = 1, "the last replica stays for a while"
	}
	if in.Settings.ScaleDownDelay > 0 {
		if highest := s.highest(want, in.Now.Add(-in.Settings.ScaleDownDelay), in.Now); highest > want {
			want, why = highest, "scale-down delay"
		}
	}
	if least, because := in.least(s); want < least {
		want, why = least, because
	}
	if bounded := in.bound(want); bounded != want {
		want, why = bounded, "bounds"
	}
	if want < in.Replicas {
		s.halved = in.Now
	}
	return Plan{Replicas: want, Why: why, State: s, Again: in.again(want, s)}
}

// wanted is what the load asks for.
func (in Input) wanted(s *State) (int32, string) {
	stable := in.Load.needs(in.Settings, in.Settings.Window)
	surge := in.Load.needs(in.Settings, in.Settings.PanicWindow)
	ready := max(1, in.Ready)
	if float64(surge) >= in.Settings.PanicThreshold*float64(ready) {
		s.surge = in.Now
	}
	// A rising load is ahead of its average: what the last seconds need stays.
	want, why := max(stable, min(surge, in.Replicas)), "load"
	if !s.surge.IsZero() && in.Now.Sub(s.surge) <= in.Settings.Window {
		want, why = max(stable, surge, in.Replicas), "panic"
	}
	want = min(want, saturated(ready, maxGrowth))
	if want == 0 && in.Load.InFlight > 0 {
		want, why = 1, "requests are in flight"
	}
	if want > 0 {
		want = max(want, in.Settings.Activation)
	}
	return want, why
}

// zeroAt is when a revision that stays without requests may have no replica.
func (in Input) zeroAt(s State) time.Time {
	return s.busy.Add(in.Settings.Window + in.Settings.Retention)
}

// least bounds how much may be taken away now: nothing that is not known for a
// whole window to be of no use, and no more than half at a time.
func (in Input) least(s State) (int32, string) {
	since := in.Load.watched()
	switch {
	case since.IsZero() || in.Load.Until.Sub(since) < in.Settings.Window:
		return in.Replicas, "the load was not watched for a whole window yet"
	case in.Now.Sub(s.halved) < halveEvery:
		return in.Replicas, "replicas were taken away just now"
	}
	return in.Replicas / 2, "at most half is taken away at a time"
}

// highest adds what is wanted now and returns the most since then.
func (s *State) highest(want int32, since, now time.Time) int32 {
	peaks := slices.Clone(s.peaks)
	peaks = slices.DeleteFunc(peaks, func(p peak) bool { return p.at.Before(since) || p.replicas <= want })
	s.peaks = append(peaks, peak{now, want})
	return s.peaks[0].replicas
}

func (in Input) bound(n int32) int32 {
	if in.Max > 0 {
		n = min(n, in.Max)
	}
	return max(n, in.Min)
}

// again is when the count may become less without any news.
func (in Input) again(replicas int32, s State) time.Duration {
	switch {
	case replicas <= in.Min:
		return 0
	case replicas == 1 && in.Load.InFlight == 0:
		return max(tick, in.zeroAt(s).Sub(in.Now))
	}
	return tick
}

func saturated(n, factor int32) int32 {
	return int32(min(int64(n)*int64(factor), math.MaxInt32))
}

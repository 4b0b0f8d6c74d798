// SPDX-License-Identifier: Apache-2.0

// Package scale decides how many replicas a revision has. What the rollout
// demands, the revision's settings, its load and the time go in; a replica count
// and the time of the next decision come out. It performs no I/O: the autoscaler
// reads and writes.
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
// In panic the panic window counts too, and no replica is removed. Outside of
// panic, replicas that the panic window needs are not removed either; Knative
// would remove them while the load rises slowly. The last replica is removed
// after a window without a request, if the revision may have none. A request to
// a revision without replicas starts one at once.
//
// State holds times and no counts of calls: deciding twice changes nothing, and
// deciding late only delays.
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
	// tick is the time to the next decision while the average changes by itself.
	tick = time.Second
	// At most half is removed every two seconds, and growth is at most a
	// thousandfold at a time: Knative's rates.
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
	// Load is nil if no router measures it.
	Load *Load
	// State is that of the Plan before. The zero State is a fresh start.
	State State
	Now   time.Time
}

// State carries times from decision to decision.
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
	// Why is the reason for the count, for the log.
	Why   string
	State State
	// Again is the time to the next decision; zero means: when something changes.
	Again time.Duration
}

// Decide returns how many replicas a revision should have.
func Decide(in Input) Plan {
	switch {
	case !in.Active:
		return in.unrouted()
	case in.Load == nil:
		return Plan{Replicas: in.bound(max(1, in.Min)), Why: "no router measures the load"}
	}
	return in.byLoad()
}

// unrouted keeps the replicas of a revision without traffic for a rollback, and
// then until its requests have ended.
func (in Input) unrouted() Plan {
	if in.IdleSince.IsZero() {
		return Plan{Why: "stopped"}
	}
	// A time recorded before the clock was set back may lie far ahead.
	if warm := in.IdleSince.Add(idleDelay).Sub(in.Now); warm > 0 && warm <= 2*idleDelay {
		return Plan{Replicas: in.Replicas, Why: "warm for a rollback", Again: warm}
	}
	if in.Replicas > 0 && in.Load != nil && (in.Load.InFlight > 0 || in.Load.Since.IsZero()) {
		return Plan{Replicas: in.Replicas, Why: "requests are in flight", Again: tick}
	}
	return Plan{Why: "no traffic"}
}

// byLoad gives a revision with traffic the replicas that its load needs.
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

// wanted returns the replicas that the load needs, and why.
func (in Input) wanted(s *State) (int32, string) {
	stable := in.Load.needs(in.Settings, in.Settings.Window)
	surge := in.Load.needs(in.Settings, in.Settings.PanicWindow)
	ready := max(1, in.Ready)
	if float64(surge) >= in.Settings.PanicThreshold*float64(ready) {
		s.surge = in.Now
	}
	// A rising load is ahead of its average: replicas that the last seconds need
	// stay.
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

// zeroAt returns when a revision without requests may have no replica.
func (in Input) zeroAt(s State) time.Time {
	return s.busy.Add(in.Settings.Window + in.Settings.Retention)
}

// least returns the replicas that must stay, and why: all, until the load is
// known for a whole window, and otherwise half.
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

// highest records what is wanted and returns the most that was wanted since a
// time.
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

// again returns when the count may fall though nothing changes.
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

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"math"
	"slices"
	"time"
)

// window is how many consecutive requests a split is judged by.
const window = 100

// judge returns what a mode proved.
func judge(mode string, s *story, t *trouble) *result {
	answers := s.load.answers
	slices.SortFunc(answers, func(a, b answer) int { return a.sent.Compare(b.sent) })
	r := &result{Mode: mode, Cycles: s.cycles, Requests: len(answers), Deleted: t.deleted, Killed: len(t.kills), Restarts: t.restarts}
	var latency, wake []time.Duration
	for _, a := range answers {
		latency = append(latency, a.done.Sub(a.due))
		switch {
		case a.failure == "":
		case lost(a, t.kills):
			r.Lost++
		default:
			r.Failures++
			r.Failed = append(r.Failed, failure{At: a.sent, Took: a.done.Sub(a.sent).Seconds(), Revision: a.revision, Error: a.failure})
		}
	}
	for _, at := range s.woken {
		if i := since(answers, at); i < len(answers) {
			wake = append(wake, answers[i].done.Sub(answers[i].due))
		}
	}
	r.Latency, r.Wake = summarize(latency), summarize(wake)
	r.judgeSteps(s.steps, answers)
	r.judgeSplits(s.system.past(), s.dwell/3, answers)
	return r
}

// lost reports whether a request was under way at a process that was killed.
// Its answer is gone, and only the client may decide to send it again.
func lost(a answer, kills []kill) bool {
	return slices.ContainsFunc(kills, func(k kill) bool {
		return a.revision == k.revision && !a.sent.After(k.gone) && !a.done.Before(k.began)
	})
}

// since is the index of the first answer whose request was sent then or later.
func since(answers []answer, t time.Time) int {
	i, _ := slices.BinarySearchFunc(answers, t, func(a answer, t time.Time) int { return a.sent.Compare(t) })
	return i
}

// judgeSteps measures how soon each step reached the clients, and counts the
// requests at revisions that have a share neither before nor after it.
func (r *result) judgeSteps(steps []step, answers []answer) {
	first, last := map[string][]time.Duration{}, map[string][]time.Duration{}
	for _, s := range steps {
		during := answers[since(answers, s.began):since(answers, s.end)]
		if d, ok := s.firstGained(during); ok {
			first[s.kind] = append(first[s.kind], d)
		}
		if d, ok := s.lastLost(during); ok {
			last[s.kind] = append(last[s.kind], d)
		}
		for _, a := range during {
			if a.revision != "" && s.before[a.revision] == 0 && s.after[a.revision] == 0 {
				r.Astray++
			}
		}
	}
	for _, kind := range kinds {
		if n := slices.Collect(ofKind(steps, kind)); len(n) > 0 {
			r.Steps = append(r.Steps, stepTimes{Kind: kind, Count: len(n), First: summarize(first[kind]), Last: summarize(last[kind])})
		}
	}
}

// judgeSplits compares the split with the shares while they stay the same. It
// leaves out a margin next to each change, because the router changes after the
// status.
func (r *result) judgeSplits(history []shown, margin time.Duration, answers []answer) {
	c := newCounts(answers)
	for i, h := range history {
		steady := answers[since(answers, h.at.Add(margin)):]
		if i+1 < len(history) {
			steady = until(steady, history[i+1].at, margin)
		}
		for _, a := range steady {
			if a.revision != "" && h.traffic[a.revision] == 0 {
				r.Astray++
			}
		}
		for i := window; i < len(steady); i++ {
			r.Windows++
			r.SplitError = max(r.SplitError, c.windowError(h.traffic, steady[i-window].sent, steady[i].sent))
		}
	}
}

func ofKind(steps []step, kind string) func(func(step) bool) {
	return func(yield func(step) bool) {
		for _, s := range steps {
			if s.kind == kind && !yield(s) {
				return
			}
		}
	}
}

// until returns the answers to requests that were sent up to a margin before a
// change. It ends before the first that was still under way at the change: a
// request that is held when its revision loses its share is split again.
func until(answers []answer, change time.Time, margin time.Duration) []answer {
	for i, a := range answers {
		if a.sent.After(change.Add(-margin)) || a.done.After(change) {
			return answers[:i]
		}
	}
	return answers
}

// firstGained is how long after apply returned the first request was sent that
// reached a revision without a share before.
func (s step) firstGained(during []answer) (time.Duration, bool) {
	for _, a := range during {
		if s.before[a.revision] == 0 && s.after[a.revision] > 0 {
			return max(0, a.sent.Sub(s.applied)), true
		}
	}
	return 0, false
}

// lastLost is how long after apply returned the last request was sent that
// reached a revision without a share from now on. It is known only if some
// revision lost all of its share.
func (s step) lastLost(during []answer) (last time.Duration, known bool) {
	for revision, percent := range s.before {
		known = known || percent > 0 && s.after[revision] == 0
	}
	for _, a := range during {
		if s.before[a.revision] > 0 && s.after[a.revision] == 0 {
			last = max(last, a.sent.Sub(s.applied))
		}
	}
	return last, known
}

// counts are the times of all requests, sorted, by revision; "" has them all.
type counts struct{ sent, done map[string][]time.Time }

func newCounts(answers []answer) counts {
	c := counts{map[string][]time.Time{}, map[string][]time.Time{}}
	for _, a := range answers {
		if a.revision == "" {
			continue // it fails the whole run
		}
		for _, of := range []string{"", a.revision} {
			c.sent[of] = append(c.sent[of], a.sent)
			c.done[of] = append(c.done[of], a.done)
		}
	}
	for of := range c.sent {
		slices.SortFunc(c.sent[of], time.Time.Compare)
		slices.SortFunc(c.done[of], time.Time.Compare)
	}
	return c
}

// windowError returns by how many requests the split of a window is off. The router
// keeps any hundred requests within one of the shares, and any number like it within
// two, because a stratum may be cut at either end. So one more is allowed where
// requests under way leave open how many it took.
func (c counts) windowError(want shares, from, to time.Time) float64 {
	off := c.splitError(want, from, to)
	if n := c.taken("", from, to); n.least != window || n.most != window {
		off = max(0, off-1)
	}
	return off
}

// splitError returns by how many requests the split between two times differs
// from the shares. A client does not see whether the router took a request that
// was under way at either time before or after it. So a difference counts only
// as far as no order of these requests explains it.
//
//	   |<-- window -->|
//	--xxx----          |         sent before it, perhaps taken within
//	   |   ----------  |         certainly taken within
//	   |          -----|-xxx     perhaps taken after it
func (c counts) splitError(want shares, from, to time.Time) float64 {
	worst := 0.0
	all := c.taken("", from, to)
	for revision, percent := range want {
		if percent == 0 {
			continue
		}
		share := float64(percent) / 100
		its := c.taken(revision, from, to)
		others := bounds{all.least - its.least, all.most - its.most}
		low := (1-share)*float64(its.least) - share*float64(others.most)
		high := (1-share)*float64(its.most) - share*float64(others.least)
		worst = max(worst, low, -high)
	}
	return math.Round(worst*1000) / 1000
}

// bounds are the least and the most that a number can be.
type bounds struct{ least, most int }

// taken bounds how many requests a router gave to a revision between two times:
// each at some time after it was sent and before it was answered.
func (c counts) taken(revision string, from, to time.Time) bounds {
	sent, done := c.sent[revision], c.done[revision]
	return bounds{
		least: max(0, before(done, to)-before(sent, from)),
		most:  before(sent, to) - before(done, from),
	}
}

// before is how many of the times, which are sorted, are earlier than t.
func before(times []time.Time, t time.Time) int {
	i, _ := slices.BinarySearchFunc(times, t, time.Time.Compare)
	return i
}

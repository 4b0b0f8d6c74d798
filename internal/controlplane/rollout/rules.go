// SPDX-License-Identifier: Apache-2.0

package rollout

import "fmt"

// N is the revision of the current spec, R the last that had all the traffic,
// P the one before R, c the canaryTrafficPercent. Arrows bear the names of rules.
//
//	first revision starts
//	    |
//	    | first revision: N ready
//	    v
//	100 R, N = R ----- new template ------> 100 R, N starts
//	    |  ^                                 rollout waits, canary waits
//	    |  |    roll out: N ready,             |    |      ^
//	    |  |      c absent or 100              |    |      | canary waits:
//	    |  +-----------------------------------+    |      | N not ready
//	    |  |                 canary: N ready,       |      |
//	    |  |                 c < 100                v      |
//	    |  +--- roll out: c absent or 100 ---- c N, (100-c) R
//	    |                                           ^
//	    +--- roll back, pin previous model: --------+
//	             c < 100 and P ready: R = P

// rule is one row of the table. It answers if it applies.
type rule struct {
	name   string
	answer func(*situation) (answer, bool)
}

// weight is a revision's share of the traffic.
type weight struct {
	Revision string
	Percent  int64
}

// answer is what a rule wants.
type answer struct {
	weights []weight // latest first
	// rolledOut and previous are the next R and P.
	rolledOut, previous string
	// await is the previous revision while it starts to take traffic back.
	await *Revision
	why   string
}

const rulePin = "pin previous model"

// rules are asked in this order; the first that applies answers.
var rules = []rule{
	{"stopped", stopped},
	{"roll back", rollBack},
	{rulePin, pinPrevious},
	{"invalid spec", invalidSpec},
	{"first revision starts", firstStarts},
	{"first revision", first},
	{"nothing to split", nothingToSplit},
	{"roll out", rollOut},
	{"rollout waits", rolloutWaits},
	{"canary", canary},
	{"canary waits", canaryWaits},
}

func (s *situation) answer() (rule, answer) {
	for _, r := range rules {
		if a, ok := r.answer(s); ok {
			return r, a
		}
	}
	panic("rollout: the last rule always answers")
}

// stopped: a stopped service serves nothing and forgets nothing.
func stopped(s *situation) (answer, bool) {
	return s.same(nil, "the service is stopped"), s.stopped()
}

// invalidSpec: under an invalid spec no share grows. Less traffic for a canary
// takes effect all the same, and so does a way back by the rules before: neither
// must wait until the manifest is mended.
func invalidSpec(s *situation) (answer, bool) {
	return s.same(s.atMost(s.c), "the spec is invalid: no share grows"), s.in.Target.Invalid != nil
}

// firstStarts: until a first revision is ready, no revision takes requests.
func firstStarts(s *situation) (answer, bool) {
	return s.same(nil, "the first revision is not ready yet"), s.r == nil && !s.nReady
}

// first: the first revision takes all the traffic, whatever c says.
func first(s *situation) (answer, bool) {
	if s.r != nil {
		return answer{}, false
	}
	return answer{weights: all(s.n), rolledOut: s.n.Name, why: "the first revision is ready"}, true
}

// rollBack: c below 100 on a revision that already had all the traffic gives it
// back to the revision before.
func rollBack(s *situation) (answer, bool) {
	if s.full || s.r == nil || s.n != s.r || s.p == nil || s.p == s.r {
		return answer{}, false
	}
	return s.backTo(s.p, "canaryTrafficPercent was lowered after the full rollout"), true
}

// pinPrevious: c = 0 on the same model pins the previous model, even when the
// manifest lost args or resources and so is a revision of its own.
func pinPrevious(s *situation) (answer, bool) {
	model := s.in.Target.Model
	if s.full || s.c != 0 || s.r == nil || s.n == s.r || model == "" || model != s.r.Model || s.p == nil || s.p.Model == s.r.Model {
		return answer{}, false
	}
	return s.backTo(s.p, "canaryTrafficPercent 0 on the model that has the traffic pins the previous model"), true
}

// nothingToSplit: without another revision there is nothing to split with.
func nothingToSplit(s *situation) (answer, bool) {
	return s.same(all(s.r), "there is no previous revision to split with"), !s.full && s.n == s.r
}

// rollOut: a promoted (or never held back) revision takes everything once ready.
func rollOut(s *situation) (answer, bool) {
	if !s.full || !s.nReady {
		return answer{}, false
	}
	a := s.same(all(s.n), "the revision of the current spec is ready")
	if s.n != s.r {
		a.rolledOut, a.previous = s.n.Name, s.r.Name
	}
	return a, true
}

// rolloutWaits: until then nothing changes. A superseded canary gets nothing.
func rolloutWaits(s *situation) (answer, bool) {
	return s.same(s.meanwhile(), "the revision of the current spec is not ready"), s.full
}

// canary: a ready canary gets its share.
func canary(s *situation) (answer, bool) {
	return s.same(s.split(s.r), "the canary is ready"), s.nReady
}

// canaryWaits: the share of a canary that is not ready waits. A superseded or
// rolled-back revision gets nothing.
func canaryWaits(s *situation) (answer, bool) {
	return s.same(s.meanwhile(), "the canary is not ready"), true
}

// meanwhile is the split while n is not ready for its new share. It keeps the old
// one if it can carry that, so that clients are not sent back and forth. The rest
// is R's.
func (s *situation) meanwhile() []weight {
	if had, ok := s.oldShare(s.n.Name); ok && s.carries(s.n, had) {
		return []weight{{s.n.Name, had}, {s.r.Name, 100 - had}}
	}
	return all(s.r)
}

// backTo moves traffic to p once p is ready: a cold previous model must not
// cost requests. Until then all stays with R; a canary beside it gets its 0%.
func (s *situation) backTo(p *Revision, why string) answer {
	if !s.carries(p, 100-s.c) {
		w := all(s.r)
		if s.n != s.r {
			w = s.split(s.r)
		}
		a := s.same(w, fmt.Sprintf("%s; %s is not ready yet", why, p.Name))
		a.await = p
		return a
	}
	return answer{weights: s.split(p), rolledOut: p.Name, previous: p.Name, why: why}
}

// same answers with weights and leaves R and P as they are.
func (s *situation) same(w []weight, why string) answer {
	a := answer{weights: w, why: why}
	if s.r != nil {
		a.rolledOut = s.r.Name
	}
	if s.p != nil {
		a.previous = s.p.Name
	}
	return a
}

func all(r *Revision) []weight { return []weight{{r.Name, 100}} }

// split gives n its share and base the rest. A share is for a ready n only.
func (s *situation) split(base *Revision) []weight {
	if !s.nReady {
		return all(base)
	}
	return []weight{{s.n.Name, s.c}, {base.Name, 100 - s.c}}
}

// atMost returns the shares of the status, with at most c for a canary that
// answers. The rest is R's.
func (s *situation) atMost(c int64) []weight {
	if s.r == nil {
		return nil
	}
	for _, t := range s.old.Traffic {
		if canary := s.revision(t.RevisionName); canary != nil && canary != s.r && s.answers(canary) {
			share := min(percent(t), c)
			return []weight{{canary.Name, share}, {s.r.Name, 100 - share}}
		}
	}
	return all(s.r)
}

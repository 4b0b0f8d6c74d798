// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"slices"
	"time"

	"github.com/serin-dev/serin/api/v1beta1"
)

// history is how many revisions are kept besides those that the status names.
const history = 10

// believed bounds the numbers of revisions that only a status names. Somebody
// else wrote a higher one, and there must be numbers left.
const believed = 100_000_000

// NextNumber returns the number of a service's next revision. Numbers start at
// 1. No number is used again, even if somebody deleted a revision that the status
// still names.
func NextNumber(service string, revisions []Revision, c v1beta1.ComponentStatus) int {
	last := 0
	for _, r := range revisions {
		last = max(last, r.Number)
	}
	for _, name := range Named(c) {
		if n, ours := v1beta1.Predictor.RevisionNumber(service, name); ours && n < believed {
			last = max(last, n)
		}
	}
	return last + 1
}

// Named returns the revisions that a component's status names, each once.
func Named(c v1beta1.ComponentStatus) []string {
	names := []string{c.LatestReadyRevision, c.LatestCreatedRevision, c.LatestRolledoutRevision, c.PreviousRolledoutRevision}
	for _, t := range c.Traffic {
		names = append(names, t.RevisionName)
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(n string) bool { return n == "" })
}

// planned returns the revisions that must exist: the newest ones, all that the
// status names, now or until it is written, and those whose Pods have not ended.
func (s *situation) planned(a answer, status v1beta1.InferenceServiceStatus) []PlannedRevision {
	all := s.in.Revisions
	if s.isNew {
		all = append(slices.Clip(all), *s.n)
	}
	next := status.Components[v1beta1.Predictor]
	named := append(Named(s.old), Named(next)...)
	var out []PlannedRevision
	for i, r := range all {
		if i < len(all)-history && !r.runs() && !slices.Contains(named, r.Name) {
			continue
		}
		p := PlannedRevision{
			Name:     r.Name,
			Number:   r.Number,
			New:      s.isNew && r.Name == s.n.Name,
			Active:   s.active(r.Name, a),
			Starting: s.starting(r.Name, a),
			Digest:   s.contents[r.Name].digest,
			Found:    s.contents[r.Name].found,
			Foreign:  s.contents[r.Name].foreign,
		}
		p.Deployed = p.Active || r.runs() || s.stays(r.Name, next)
		if p.Deployed && !p.Active {
			p.IdleSince = s.idleSince(r)
		}
		if percent, ok := share(a.weights, r.Name); ok {
			p.Percent = &percent
		}
		out = append(out, p)
	}
	return out
}

// runs reports whether Pods of the revision may answer, now or soon.
func (r Revision) runs() bool { return r.Deployed && !r.Drained }

// stays reports whether a revision keeps its Deployment for as long as it is what
// it is: the revision of the spec, the one rolled out, or the one before it.
func (s *situation) stays(name string, next v1beta1.ComponentStatus) bool {
	return s.n != nil && s.n.Name == name || slices.Contains([]string{
		s.old.LatestRolledoutRevision, s.old.PreviousRolledoutRevision, next.LatestRolledoutRevision, next.PreviousRolledoutRevision,
	}, name)
}

// active reports whether a revision must have replicas. One that the stored
// status gives traffic to is active whatever is decided: routers may send
// requests there until a status without it is stored.
func (s *situation) active(name string, a answer) bool {
	_, had := s.oldShare(name)
	return had || s.needed(name, a)
}

// needed reports whether a revision must have replicas for what is decided.
func (s *situation) needed(name string, a answer) bool {
	_, has := share(a.weights, name)
	return has || a.await != nil && a.await.Name == name || s.n != nil && s.n.Name == name && !s.stopped()
}

// idleSince is the time from which an inactive revision needs no replicas.
func (s *situation) idleSince(r Revision) time.Time {
	switch {
	case s.stopped():
		return time.Time{} // to zero at once
	case r.IdleSince.IsZero() || r.IdleSince.After(s.in.Now):
		return s.in.Now.Truncate(time.Second)
	}
	return r.IdleSince
}

// starting reports whether a revision has yet to show that it can serve.
func (s *situation) starting(name string, a answer) bool {
	if s.stopped() {
		return false
	}
	return a.await != nil && a.await.Name == name ||
		s.n != nil && s.n.Name == name && (!s.nReady || !s.loaded())
}

// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"slices"
	"time"

	"github.com/serin-dev/serin/api/v1beta1"
)

// history is how many revisions are kept besides those that the status names.
const history = 10

// believed bounds the numbers of revisions that only a status names. Beyond,
// somebody else wrote it, and there must be numbers left.
const believed = 100_000_000

// NextNumber returns the number of a service's next revision. Numbers start at
// 1 and are never used again, also when somebody deleted a revision that the
// status still names.
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

// keep returns the revisions that must exist: the newest ones, and all that
// the status names, now or until it is written.
func (s *situation) keep(now v1beta1.InferenceServiceStatus) []string {
	var names []string
	for _, r := range s.in.Revisions {
		names = append(names, r.Name)
	}
	if s.create != nil {
		names = append(names, s.create.Name)
	}
	named := append(Named(s.old), Named(now.Components[v1beta1.Predictor])...)
	oldest := len(names) - history
	kept := names[:0]
	for i, name := range names {
		if i >= oldest || slices.Contains(named, name) {
			kept = append(kept, name)
		}
	}
	return kept
}

// active returns the revisions that must have replicas, oldest first, and
// since when the others need none. One that the stored status gives traffic to
// is active whatever is decided now: routers may send requests there until a
// status without it is stored.
func (s *situation) active(a answer) ([]string, map[string]time.Time) {
	var active []string
	idle := map[string]time.Time{}
	revisions := s.in.Revisions
	if s.create != nil {
		revisions = append(slices.Clip(revisions), *s.n)
	}
	for _, r := range revisions {
		switch {
		case s.needs(r.Name, a):
			active = append(active, r.Name)
		case s.stopped(): // to zero at once
		case r.IdleSince.IsZero() || r.IdleSince.After(s.in.Now):
			idle[r.Name] = s.in.Now.Truncate(time.Second)
		default:
			idle[r.Name] = r.IdleSince
		}
	}
	return active, idle
}

// starting returns the revisions that must show that they can serve.
func (s *situation) starting(a answer) []string {
	var names []string
	if s.stopped() {
		return nil
	}
	if s.n != nil && (!s.nReady || !s.loaded()) {
		names = append(names, s.n.Name)
	}
	if a.await != nil {
		names = append(names, a.await.Name)
	}
	return names
}

func (s *situation) needs(name string, a answer) bool {
	_, had := s.oldShare(name)
	return had ||
		s.n != nil && s.n.Name == name && !s.stopped() ||
		a.await != nil && a.await.Name == name ||
		slices.ContainsFunc(a.weights, func(w Weight) bool { return w.Revision == name })
}

// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"regexp"
	"slices"

	"github.com/serin-dev/serin/api/v1beta1"
)

// situation is an Input in the words of the rules.
type situation struct {
	in  Input
	old v1beta1.ComponentStatus
	// n is the revision of the current spec; nil if the spec is invalid and was
	// not seen before.
	n *Revision
	// r was the last to have all the traffic, p had it before r. Nil if there
	// is none, or if somebody deleted it.
	r, p *Revision
	// c is canaryTrafficPercent; full means that it is absent or 100.
	c    int64
	full bool
	// nReady says that n can carry the share that the spec wants for it.
	nReady bool
	// isNew is set if n does not exist yet.
	isNew bool
	// contents are by revision.
	contents map[string]content
}

func read(in Input) *situation {
	in.Min = max(in.Min, 0)
	s := &situation{in: in, old: in.Service.Status.Components[v1beta1.Predictor], c: CanaryPercent(in.Service)}
	s.full = s.c >= 100
	s.hold()
	s.r = s.revision(s.old.LatestRolledoutRevision)
	s.p = s.revision(s.old.PreviousRolledoutRevision)
	s.n, s.isNew = s.wanted()
	if s.n != nil {
		share := s.c
		if s.r == nil {
			share = 100
		}
		s.nReady = s.carries(s.n, share) || s.n == s.r && s.answers(s.n)
	}
	return s
}

// CanaryPercent returns the most that the revision of a service's current spec
// may have of the traffic: 100 without a canaryTrafficPercent.
func CanaryPercent(s *v1beta1.InferenceService) int64 {
	if c := s.Spec.Predictor.CanaryTrafficPercent; c != nil {
		return share100(*c)
	}
	return 100
}

// wanted finds the revision of the current spec. A template seen before is
// that same revision again, so applying an old manifest is a rollback, and a warm
// one while that has Pods. An invalid spec makes no new one.
func (s *situation) wanted() (n *Revision, isNew bool) {
	for i := len(s.in.Revisions) - 1; i >= 0; i-- {
		if r := &s.in.Revisions[i]; r.Hash != "" && r.Hash == s.in.Target.Hash {
			return r, false
		}
	}
	if s.in.Target.Invalid != nil {
		return nil, false
	}
	next := s.in.Next
	next.Hash, next.Model = s.in.Target.Hash, s.in.Target.Model
	return &next, true
}

func (s *situation) revision(name string) *Revision {
	if s.n != nil && s.n.Name == name {
		return s.n
	}
	i := slices.IndexFunc(s.in.Revisions, func(r Revision) bool { return r.Name == name })
	if i < 0 {
		return nil
	}
	return &s.in.Revisions[i]
}

func (s *situation) stopped() bool {
	return s.in.Service.Annotations[v1beta1.AnnotationStop] == "true"
}

// strong reports whether r has all the replicas that a full share needs. If the
// API refused to keep its Deployment running, its replicas may go at any time.
func (s *situation) strong(r *Revision) bool {
	return r.Ready >= max(1, s.in.Min) && !slices.ContainsFunc(s.in.Refusals, func(f Refusal) bool { return f.Deployment && f.Revision == r.Name })
}

// refused returns the first refusal of a revision's objects, or of the
// service's addresses if the name is empty; nil if there is none.
func (s *situation) refused(revision string) *Refusal {
	i := slices.IndexFunc(s.in.Refusals, func(r Refusal) bool { return r.Revision == revision })
	if i < 0 {
		return nil
	}
	return &s.in.Refusals[i]
}

// fault returns why the spec will not take effect by itself: it is invalid, or
// the API server refuses an object that follows from it.
func (s *situation) fault() *Invalid {
	if f := s.in.Target.Invalid; f != nil {
		return &Invalid{Reason: f.Reason, Message: s.steady(string(f.Reason), f.Message)}
	}
	for _, r := range s.in.Refusals {
		if r.Revision != "" {
			reason := v1beta1.InvalidPredictorSpec
			return &Invalid{Reason: reason, Message: s.steady(string(reason), r.Message)}
		}
	}
	return nil
}

// volatile matches the parts of a sentence that differ each time: numbers of
// requests and ports, times, identifiers.
var volatile = regexp.MustCompile(`[0-9a-zA-Z_-]*[0-9][0-9a-zA-Z_-]*`)

// steady returns the sentence that the status of this generation has already, if
// the new one differs only in volatile parts. Each new sentence would be a write,
// and each write another reconcile, with another sentence.
func (s *situation) steady(reason, message string) string {
	if s.in.Service.Status.ObservedGeneration != s.in.Service.Generation {
		return message
	}
	for _, c := range s.in.Service.Status.Conditions {
		if c.Reason == reason && volatile.ReplaceAllString(c.Message, "") == volatile.ReplaceAllString(message, "") {
			return c.Message
		}
	}
	return message
}

// answers reports whether requests for r are answered: it has a ready replica, or
// will have one as soon as a request comes.
func (s *situation) answers(r *Revision) bool {
	return r.Ready > 0 || s.in.Min == 0 && r.Failure == nil
}

// carries reports whether r has enough ready replicas for a share. To get a share,
// it needs all of them. To keep one, it needs one, or none where it may sleep:
// neither a lost Pod nor a higher minReplicas may throw a canary back.
func (s *situation) carries(r *Revision, share int64) bool {
	if s.strong(r) {
		return true
	}
	i := slices.IndexFunc(s.old.Traffic, func(t v1beta1.TrafficTarget) bool { return t.RevisionName == r.Name })
	return i >= 0 && s.answers(r) && share <= percent(s.old.Traffic[i])
}

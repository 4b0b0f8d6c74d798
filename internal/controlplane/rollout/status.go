// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"cmp"
	"slices"

	"github.com/serin-dev/serin/api/v1beta1"
)

// status is the service's whole status after answer a.
func (s *situation) status(a answer) v1beta1.InferenceServiceStatus {
	st := v1beta1.InferenceServiceStatus{
		ObservedGeneration:        s.in.Service.Generation,
		ServingRuntimeName:        s.in.Target.Runtime,
		ClusterServingRuntimeName: s.in.Target.ClusterRuntime,
		ModelStatus:               s.modelStatus(a),
	}
	c := v1beta1.ComponentStatus{
		LatestReadyRevision:       s.latestReady(),
		LatestCreatedRevision:     s.latestCreated(),
		LatestRolledoutRevision:   a.rolledOut,
		PreviousRolledoutRevision: a.previous,
	}
	if len(a.weights) > 0 {
		name := s.in.Service.Name
		st.URL = s.url(name)
		st.Address = s.address(name)
		c.URL = s.url(v1beta1.Predictor.Host("", name))
		c.Address = s.address(v1beta1.Predictor.Host("", name))
		c.Traffic = s.traffic(a, c)
		st.ModelDigests = s.digests(a)
	}
	st.Components = map[v1beta1.Component]v1beta1.ComponentStatus{v1beta1.Predictor: c}
	st.Conditions = s.conditions(a, c.Traffic)
	return st
}

// traffic lists the shares as KServe does. `latestRevision` marks the revision of
// the current spec or, while that has no entry, the newest that was ready or the
// one to be rolled back. Any other is `prev`.
func (s *situation) traffic(a answer, c v1beta1.ComponentStatus) []v1beta1.TrafficTarget {
	var out []v1beta1.TrafficTarget
	for _, w := range a.weights {
		alone := len(a.weights) == 1
		latest := w.Revision == c.LatestCreatedRevision || alone && (w.Revision == c.LatestReadyRevision || a.await != nil)
		t := v1beta1.TrafficTarget{RevisionName: w.Revision, LatestRevision: &latest, Percent: &w.Percent}
		switch {
		case !latest:
			t.Tag = v1beta1.TagPrev
		case s.in.Service.Annotations[v1beta1.AnnotationTagRouting] == "true":
			t.Tag = v1beta1.TagLatest
		}
		if t.Tag != "" {
			t.URL = s.tagURL(t.Tag)
		}
		out = append(out, t)
	}
	return out
}

func (s *situation) latestReady() string {
	if s.n != nil && s.nReady {
		return s.n.Name
	}
	if s.revision(s.old.LatestReadyRevision) == nil {
		return "" // somebody deleted it
	}
	return s.old.LatestReadyRevision
}

func (s *situation) latestCreated() string {
	if s.n == nil {
		return s.old.LatestCreatedRevision
	}
	return s.n.Name
}

// serves reports whether some of the requests are answered.
func (s *situation) serves(a answer) bool { return s.anyWithTraffic(a, s.answers) }

// awake reports whether any revision with traffic has a ready replica.
func (s *situation) awake(a answer) bool {
	return s.anyWithTraffic(a, func(r *Revision) bool { return r.Ready > 0 })
}

func (s *situation) anyWithTraffic(a answer, is func(*Revision) bool) bool {
	return slices.ContainsFunc(a.weights, func(w weight) bool {
		r := s.revision(w.Revision)
		return w.Percent > 0 && r != nil && is(r)
	})
}

// modelStatus is the state of the current spec's model.
func (s *situation) modelStatus(a answer) *v1beta1.ModelStatus {
	if s.stopped() {
		return nil
	}
	m := &v1beta1.ModelStatus{States: &v1beta1.ModelStates{}}
	switch {
	case s.awake(a):
		m.States.ActiveModelState = v1beta1.Loaded
	case s.serves(a):
		m.States.ActiveModelState = v1beta1.Standby
	}
	if f := s.fault(); f != nil {
		m.TransitionStatus = v1beta1.InvalidSpec
		m.States.TargetModelState = v1beta1.FailedToLoad
		m.LastFailureInfo = &v1beta1.FailureInfo{Reason: f.Reason, Message: f.Message}
		return m
	}
	m.Copies = &v1beta1.ModelCopies{TotalCopies: s.n.Ready, FailedCopies: s.n.Failed}
	switch {
	case s.loaded():
		m.TransitionStatus = v1beta1.UpToDate
		m.States.TargetModelState = v1beta1.Loaded
		if s.n.Ready == 0 {
			m.States.TargetModelState = v1beta1.Standby
		}
	case s.n.Failure != nil && !s.n.Pending:
		m.TransitionStatus = v1beta1.BlockedByFailedLoad
		m.States.TargetModelState = v1beta1.FailedToLoad
		m.LastFailureInfo = s.failure(s.n.Name, s.n.Failure)
	default:
		m.TransitionStatus = v1beta1.InProgress
		m.States.TargetModelState = v1beta1.Pending
		if s.n.Loading {
			m.States.TargetModelState = v1beta1.Loading
		}
		if f := cmp.Or(s.n.Failure, s.n.Late); f != nil { // it may come right by itself
			m.LastFailureInfo = s.failure(s.n.Name, f)
		}
	}
	if p := a.await; p != nil && m.LastFailureInfo == nil && cmp.Or(p.Failure, p.Late) != nil {
		m.LastFailureInfo = s.failure(p.Name, cmp.Or(p.Failure, p.Late))
	}
	if r := s.changed(a); r != nil && m.LastFailureInfo == nil {
		m.LastFailureInfo = s.failure(r.Name, r.Failure)
	}
	return m
}

// failure is the failure of a revision. A Pod that fails again in the same way is the same
// failure, also if its message has other numbers: it keeps the time and the words of the
// first, so a crash loop writes no status.
func (s *situation) failure(revision string, f *v1beta1.FailureInfo) *v1beta1.FailureInfo {
	now := *f
	now.ModelRevisionName = revision
	if m := s.in.Service.Status.ModelStatus; m != nil && m.LastFailureInfo != nil {
		before := *m.LastFailureInfo
		before.Time = now.Time
		if volatile.ReplaceAllString(before.Message, "") == volatile.ReplaceAllString(now.Message, "") {
			before.Message = now.Message
		}
		if before == now {
			return m.LastFailureInfo.DeepCopy()
		}
	}
	return &now
}

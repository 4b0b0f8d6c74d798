// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Reasons of conditions that are not True, besides the FailureReasons. True
// conditions have none, as in KServe.
const (
	ReasonStopped            = "Stopped"
	ReasonRevisionNotReady   = "RevisionNotReady"
	ReasonWaitingForPrevious = "WaitingForPrevious"
	ReasonNothingServes      = "NothingServes"
	ReasonAddressRefused     = "AddressRefused"
	ReasonAddressTaken       = "AddressTaken"
	ReasonUnroutable         = "Unroutable"
)

// severityInfo marks conditions that do not count towards Ready.
const severityInfo = "Info"

// state is a condition's content.
type state struct {
	status          metav1.ConditionStatus
	reason, message string
}

var isTrue = state{status: metav1.ConditionTrue}

func isFalse(reason, message string) state { return state{metav1.ConditionFalse, reason, message} }
func unknown(reason, message string) state { return state{metav1.ConditionUnknown, reason, message} }

// conditions returns all conditions, sorted by type.
func (s *situation) conditions(a answer, traffic []v1beta1.TrafficTarget) []v1beta1.Condition {
	created, predictor, routes := s.createdState(), s.predictorState(a), s.routesState(traffic)
	withTags := and(routes, s.tagState(traffic))
	all := []v1beta1.Condition{
		s.condition(v1beta1.ConditionReady, "", and(predictor, routes)),
		s.condition(v1beta1.ConditionPredictorReady, "", predictor),
		s.condition(v1beta1.ConditionIngressReady, "", routes),
		s.condition(v1beta1.ConditionServable, severityInfo, s.servableState(a)),
		s.condition(v1beta1.ConditionPredictorConfigurationReady, severityInfo, created),
		s.condition(v1beta1.ConditionLatestDeploymentReady, severityInfo, created),
		s.condition(v1beta1.ConditionPredictorRouteReady, severityInfo, withTags),
		s.condition(v1beta1.ConditionRoutesReady, severityInfo, withTags),
	}
	if s.stopped() {
		all = append(all, s.condition(v1beta1.ConditionStopped, severityInfo, isTrue))
	}
	if r := s.changed(a); r != nil && !s.stopped() {
		all = append(all, s.condition(v1beta1.ConditionModelChanged, severityInfo, state{metav1.ConditionTrue, string(v1beta1.ModelChanged), s.failed(r).message}))
	}
	slices.SortFunc(all, func(a, b v1beta1.Condition) int { return cmp.Compare(a.Type, b.Type) })
	return all
}

// and is the first state that is False, else the first that is Unknown.
func and(states ...state) state {
	for _, want := range []metav1.ConditionStatus{metav1.ConditionFalse, metav1.ConditionUnknown} {
		for _, st := range states {
			if st.status == want {
				return st
			}
		}
	}
	return isTrue
}

// condition keeps the time of the last transition unless the status changes.
func (s *situation) condition(kind, severity string, st state) v1beta1.Condition {
	c := v1beta1.Condition{
		Type:               kind,
		Severity:           severity,
		Status:             st.status,
		Reason:             st.reason,
		Message:            st.message,
		LastTransitionTime: metav1.NewTime(s.in.Now.Truncate(time.Second)),
	}
	if old := s.oldCondition(kind); old != nil && old.Status == c.Status {
		c.LastTransitionTime = old.LastTransitionTime
	}
	return c
}

func (s *situation) oldCondition(kind string) *v1beta1.Condition {
	all := s.in.Service.Status.Conditions
	i := slices.IndexFunc(all, func(c v1beta1.Condition) bool { return c.Type == kind })
	if i < 0 {
		return nil
	}
	return &all[i]
}

// loaded reports whether the revision of the current spec counts as ready for
// people. It needs all its replicas once per generation of the spec, so that
// waiting after an apply means something; a Pod lost later does not matter as
// long as others carry the share. A sleeping revision is not woken by an apply
// that changes nothing for it.
func (s *situation) loaded() bool {
	if s.strong(s.n) {
		return true
	}
	was := s.oldCondition(v1beta1.ConditionLatestDeploymentReady)
	same := s.in.Service.Status.ObservedGeneration == s.in.Service.Generation ||
		s.in.Min == 0 && s.n.Name == s.old.LatestCreatedRevision
	return s.nReady && same && was != nil && was.Status == metav1.ConditionTrue
}

// createdState is about the revision of the current spec alone.
func (s *situation) createdState() state {
	switch {
	case s.stopped():
		return isFalse(ReasonStopped, "The service is stopped by its annotation "+v1beta1.AnnotationStop)
	case s.fault() != nil:
		return isFalse(string(s.fault().Reason), s.fault().Message)
	case s.loaded():
		return isTrue
	case s.n.Failure != nil:
		return s.failed(s.n)
	}
	return unknown(ReasonRevisionNotReady, fmt.Sprintf("Revision %s is not ready yet", s.n.Name)+s.lateBecause(s.n))
}

// lateBecause says what keeps a revision's Pods from being ready, if that takes long.
func (s *situation) lateBecause(r *Revision) string {
	if r.Late == nil {
		return ""
	}
	return ": " + s.failure(r.Name, r.Late).Sentence()
}

// predictorState is True once the spec is in effect: its revision is ready
// and the traffic is where it should be.
func (s *situation) predictorState(a answer) state {
	created := s.createdState()
	switch {
	case created.status != metav1.ConditionTrue || a.await == nil:
		return created
	case a.await.Failure != nil:
		return s.failed(a.await)
	}
	return unknown(ReasonWaitingForPrevious,
		fmt.Sprintf("Revision %s is starting; until it is ready, all traffic stays with %s", a.await.Name, a.rolledOut)+s.lateBecause(a.await))
}

func (s *situation) failed(r *Revision) state {
	f := s.failure(r.Name, r.Failure)
	return isFalse(string(f.Reason), fmt.Sprintf("Revision %s: %s", r.Name, f.Sentence()))
}

func (s *situation) routesState(traffic []v1beta1.TrafficTarget) state {
	switch {
	case s.stopped():
		return s.createdState()
	case s.refused("") != nil:
		return isFalse(ReasonAddressRefused, s.steady(ReasonAddressRefused, s.refused("").Message))
	case s.addressState() != isTrue:
		return s.addressState()
	case len(traffic) == 0:
		return unknown(ReasonNothingServes, "No revision has been ready yet")
	}
	return s.routableState(traffic)
}

// routableState is False if the routers' own code refuses the planned traffic.
func (s *situation) routableState(traffic []v1beta1.TrafficTarget) state {
	if s.in.Routable == nil {
		return isTrue
	}
	if err := s.in.Routable(s.in.Service.Namespace, s.in.Service.Name, traffic); err != nil {
		return isFalse(ReasonUnroutable, err.Error())
	}
	return isTrue
}

func (s *situation) servableState(a answer) state {
	if !s.serves(a) {
		return isFalse(ReasonNothingServes, "No revision with traffic has a ready replica")
	}
	return isTrue
}

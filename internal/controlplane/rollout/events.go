// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Event says to people what a decision changed.
type Event struct {
	Warning bool
	Reason  string
	Message string
}

// Reasons of events. Events of failures have the failure's reason.
const (
	EventRevisionCreated    = "RevisionCreated"
	EventRevisionReused     = "RevisionReused"
	EventRolledOut          = "RolledOut"
	EventCanaryStarted      = "CanaryStarted"
	EventCanaryChanged      = "CanaryChanged"
	EventCanaryStopped      = "CanaryStopped"
	EventCanaryUnready      = "CanaryUnready"
	EventPromoted           = "Promoted"
	EventRolledBack         = "RolledBack"
	EventPinnedPrevious     = "PinnedPrevious"
	EventWaitingForPrevious = "WaitingForPrevious"
	EventStopped            = "Stopped"
	EventResumed            = "Resumed"
)

// Type is the Kubernetes type of the event.
func (e Event) Type() string {
	if e.Warning {
		return corev1.EventTypeWarning
	}
	return corev1.EventTypeNormal
}

// events compares the stored status with the planned one. So each event belongs
// to one write of the status, and none is recorded twice.
func (s *situation) events(r rule, a answer, planned v1beta1.InferenceServiceStatus) []Event {
	var out []Event
	for _, e := range []*Event{
		s.stopEvent(),
		s.revisionEvent(),
		s.trafficEvent(r, a),
		s.waitingEvent(a, planned),
		s.failureEvent(planned),
	} {
		if e != nil {
			out = append(out, *e)
		}
	}
	return out
}

func eventf(reason, format string, args ...any) *Event {
	return &Event{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

func warningf(reason, format string, args ...any) *Event {
	return &Event{Warning: true, Reason: reason, Message: fmt.Sprintf(format, args...)}
}

func (s *situation) stopEvent() *Event {
	was := s.oldCondition(v1beta1.ConditionStopped) != nil
	switch {
	case s.stopped() && !was:
		return eventf(EventStopped, "The service is stopped; all revisions go to zero")
	case !s.stopped() && was:
		return eventf(EventResumed, "The service is no longer stopped")
	}
	return nil
}

func (s *situation) revisionEvent() *Event {
	if s.n == nil || s.n.Name == s.old.LatestCreatedRevision {
		return nil
	}
	switch {
	case !s.reused():
		return eventf(EventRevisionCreated, "Created revision %s", s.n.Name)
	case !s.n.Deployed:
		return eventf(EventRevisionReused, "The spec is that of revision %s again, which starts cold", s.n.Name)
	}
	return eventf(EventRevisionReused, "The spec is that of revision %s again", s.n.Name)
}

// reused reports whether n was made for an earlier spec. The newest revision may
// be one whose status a crash kept from being written: then it was never idle,
// and the status does not name it.
func (s *situation) reused() bool {
	switch {
	case s.isNew:
		return false
	case s.n.Number < s.in.Revisions[len(s.in.Revisions)-1].Number:
		return true
	}
	return !s.n.IdleSince.IsZero() || s.n == s.r || s.n == s.p || s.n.Name == s.old.LatestReadyRevision
}

func (s *situation) trafficEvent(r rule, a answer) *Event {
	n := s.latestCreated()
	if n == "" || s.stopped() {
		return nil
	}
	before, had := s.oldShare(n)
	after, has := share(a.weights, n)
	if a.rolledOut != s.old.LatestRolledoutRevision {
		switch {
		case a.rolledOut == "":
			return nil // somebody deleted R
		case a.rolledOut == n && had:
			return eventf(EventPromoted, "Revision %s was promoted from %d%% to all traffic; before it was %s", n, before, a.previous)
		case a.rolledOut == n && a.previous == "":
			return eventf(EventRolledOut, "Revision %s has all traffic", n)
		case a.rolledOut == n:
			return eventf(EventRolledOut, "Revision %s has all traffic; before it was %s", n, a.previous)
		case r.name == rulePin:
			return eventf(EventPinnedPrevious, "The previous model is pinned: %s", shares(a.weights))
		}
		return eventf(EventRolledBack, "Rolled back: %s", shares(a.weights))
	}
	if n == a.rolledOut || had == has && before == after {
		return nil
	}
	switch {
	case !has && before > 0:
		return warningf(EventCanaryUnready, "Revision %s has too few ready replicas: %s", n, shares(a.weights))
	case after == 0 && before == 0:
		return nil // 0% and no entry are the same to people
	case after == 0:
		return eventf(EventCanaryStopped, "Canary stopped: %s", shares(a.weights))
	case before == 0:
		return eventf(EventCanaryStarted, "Canary started: %s", shares(a.weights))
	}
	return eventf(EventCanaryChanged, "Canary changed from %d%%: %s", before, shares(a.weights))
}

func (s *situation) waitingEvent(a answer, planned v1beta1.InferenceServiceStatus) *Event {
	was := s.oldCondition(v1beta1.ConditionPredictorReady)
	if a.await == nil || was != nil && was.Reason == ReasonWaitingForPrevious {
		return nil
	}
	for _, c := range planned.Conditions {
		if c.Type == v1beta1.ConditionPredictorReady && c.Reason == ReasonWaitingForPrevious {
			return eventf(EventWaitingForPrevious, "Traffic goes back to revision %s once it is ready", a.await.Name)
		}
	}
	return nil
}

// failureEvent warns once per failure, not once per Pod.
func (s *situation) failureEvent(planned v1beta1.InferenceServiceStatus) *Event {
	f := lastFailure(planned)
	if f == nil {
		return s.otherFailureEvent(planned)
	}
	if old := lastFailure(s.in.Service.Status); old != nil &&
		old.Reason == f.Reason && old.Message == f.Message && old.ModelRevisionName == f.ModelRevisionName {
		return nil
	}
	if f.ModelRevisionName == "" {
		return warningf(string(f.Reason), "%s", f.Sentence())
	}
	return warningf(string(f.Reason), "Revision %s: %s", f.ModelRevisionName, f.Sentence())
}

// otherFailureEvent warns of failures that are not the model's: a previous
// revision that cannot take traffic back, or an address that is taken.
func (s *situation) otherFailureEvent(planned v1beta1.InferenceServiceStatus) *Event {
	was := s.oldCondition(v1beta1.ConditionReady)
	for _, c := range planned.Conditions {
		if c.Type == v1beta1.ConditionReady && c.Status == metav1.ConditionFalse && c.Reason != ReasonStopped &&
			(was == nil || was.Reason != c.Reason || was.Message != c.Message) {
			return warningf(c.Reason, "%s", c.Message)
		}
	}
	return nil
}

func lastFailure(st v1beta1.InferenceServiceStatus) *v1beta1.FailureInfo {
	if st.ModelStatus == nil {
		return nil
	}
	return st.ModelStatus.LastFailureInfo
}

func (s *situation) oldShare(name string) (int64, bool) {
	for _, t := range s.old.Traffic {
		if t.RevisionName == name {
			return percent(t), true
		}
	}
	return 0, false
}

func share(weights []weight, name string) (int64, bool) {
	for _, w := range weights {
		if w.Revision == name {
			return w.Percent, true
		}
	}
	return 0, false
}

// shares reads like "10% r2, 90% r1".
func shares(weights []weight) string {
	var out []string
	for _, w := range weights {
		out = append(out, fmt.Sprintf("%d%% %s", w.Percent, w.Revision))
	}
	return strings.Join(out, ", ")
}

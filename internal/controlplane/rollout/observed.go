// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"cmp"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Observed is what there is to see of a revision.
type Observed struct {
	// Pods need no spec. The template of the Deployment has the containers that users
	// wrote; webhooks may have added others.
	Pods []corev1.Pod
	// Deployment is nil if there is none.
	Deployment *appsv1.Deployment
	// Events are those of the Pod that Unexplained returns.
	Events []corev1.Event
	// Now is the time. Without it no Pod counts as late.
	Now time.Time
}

// waiting returns the Pods that count and are not ready, by name.
func (o Observed) waiting() []*corev1.Pod {
	var out []*corev1.Pod
	for i := range o.Pods {
		if p := &o.Pods[i]; !v1beta1.PodLeaving(p) && v1beta1.PodReady(p) == nil {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b *corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// template is the spec of the Pods as it was written.
func (o Observed) template() corev1.PodSpec {
	if o.Deployment == nil {
		return corev1.PodSpec{}
	}
	return o.Deployment.Spec.Template.Spec
}

// container is a container as it was written; only a name if it was not.
func (o Observed) container(name string) *corev1.Container {
	t := o.template()
	for _, all := range [][]corev1.Container{t.InitContainers, t.Containers} {
		for i := range all {
			if all[i].Name == name {
				return &all[i]
			}
		}
	}
	return &corev1.Container{Name: name}
}

// Unexplained returns the Pod whose events would say why the revision is not ready.
// It returns nil if its status says it, or if it is too early to ask.
func Unexplained(o Observed) *corev1.Pod {
	pods := o.waiting()
	for _, p := range pods {
		if f, st := o.podFailure(p); f != nil {
			if l := o.runsAgain(p, st); l != nil && o.due(l) || mayBeStopped(o.container(st.Name)) {
				return p
			}
			return nil
		}
	}
	for _, p := range pods {
		if l := o.lateness(p); unscheduled(p) == nil && l != nil && l.sentence == "" && o.due(l) {
			return p
		}
	}
	return nil
}

// of returns the events of a Pod, if they were read.
func (o Observed) of(p *corev1.Pod) (out []corev1.Event) {
	for _, e := range o.Events {
		if e.InvolvedObject.UID == p.UID {
			out = append(out, e)
		}
	}
	return out
}

// failedProbe reports whether an event tells of a failed probe of a kind.
func failedProbe(e *corev1.Event, kind string) bool {
	return e.Reason == "Unhealthy" && strings.HasPrefix(strings.ToLower(e.Message), kind+" probe ")
}

// about reports whether an event is about a container of its Pod.
func about(e *corev1.Event, container string) bool {
	return strings.HasSuffix(e.InvolvedObject.FieldPath, "{"+container+"}")
}

// newest returns the last of the events that are as asked for. Of two in the same
// second, a warning counts.
func newest(events []corev1.Event, is func(*corev1.Event) bool) (last *corev1.Event) {
	for i := range events {
		e := &events[i]
		if !is(e) {
			continue
		}
		if last == nil || happened(last).Before(happened(e)) || happened(last).Equal(happened(e)) && e.Type == corev1.EventTypeWarning {
			last = e
		}
	}
	return last
}

// happened is when an event happened last.
func happened(e *corev1.Event) time.Time {
	switch {
	case e.Series != nil:
		return e.Series.LastObservedTime.Time
	case !e.LastTimestamp.IsZero():
		return e.LastTimestamp.Time
	case !e.EventTime.IsZero():
		return e.EventTime.Time
	}
	return e.CreationTimestamp.Time
}

// before reports whether an event happened before a time. Many events know only
// the second.
func before(e *corev1.Event, t time.Time) bool { return happened(e).Before(t.Truncate(time.Second)) }

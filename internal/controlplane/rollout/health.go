// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Health is the health of a revision's Pods.
type Health struct {
	// Ready and Failed count Pods.
	Ready, Failed int32
	// Loading is set while a model server runs and is not ready.
	Loading bool
	// Failure is what a failing Pod said; nil if none fails.
	Failure *v1beta1.FailureInfo
	// Pending is set if no Pod has failed. Failure is then why none is scheduled.
	Pending bool
	// Late is what keeps a Pod from being ready for longer than usual, though it has
	// not failed: it may come right by itself, so it decides nothing.
	Late *v1beta1.FailureInfo
	// Look is when more can be said about Pods that are not ready; zero is never.
	Look time.Time
	// Fetched are the Pods that reported which model they fetched, oldest first.
	Fetched []Fetched
}

// HealthOf reads the health of a revision off what there is to see. Pods that are
// being deleted do not count. A Pod fails from its first crash until it is ready,
// also in between, while it tries again.
func HealthOf(o Observed) Health {
	h := Health{Fetched: fetched(o.Pods)}
	for i := range o.Pods {
		if p := &o.Pods[i]; !v1beta1.PodLeaving(p) && v1beta1.PodReady(p) != nil {
			h.Ready++
		}
	}
	for _, p := range o.waiting() {
		h.add(o, p)
	}
	if h.Failure == nil && h.Ready == 0 {
		h.Failure = deploymentFailure(o.Deployment)
		if h.Failure != nil && h.Late != nil && overdue(o.Deployment) {
			h.Failure, h.Late = h.Late, nil // which says more
		}
	}
	for _, f := range []*v1beta1.FailureInfo{h.Failure, h.Late} {
		if f != nil {
			f.Message = cut(f.Message)
		}
	}
	return h
}

// add counts a Pod that is not ready.
func (h *Health) add(o Observed, p *corev1.Pod) {
	h.Loading = h.Loading || running(p)
	if f, st := o.podFailure(p); f != nil {
		h.Failed++
		f = h.again(o, p, st, f)
		if h.Failure == nil || h.Pending {
			h.Failure, h.Pending = f, false
		}
	} else if f := unscheduled(p); f == nil {
		h.wait(o, p)
	} else if h.Failure == nil {
		h.Failure, h.Pending = f, true
	}
}

// again returns the failure of a Pod, or what is wrong with the container since it
// was started again.
func (h *Health) again(o Observed, p *corev1.Pod, st corev1.ContainerStatus, f *v1beta1.FailureInfo) *v1beta1.FailureInfo {
	l, t := o.runsAgain(p, st), cmp.Or(st.State.Terminated, st.LastTerminationState.Terminated)
	switch {
	case l != nil:
		h.Look = earlier(h.Look, o.look(l))
		if o.due(l) {
			return cmp.Or(o.late(l), f)
		}
	case !o.Now.IsZero() && t != nil && mayBeStopped(o.container(st.Name)) && o.endedBy(p, st.Name, t) == "":
		h.Look = earlier(h.Look, o.seldom(t.FinishedAt.Time))
	}
	return f
}

// wait notes what keeps a Pod that has not failed.
func (h *Health) wait(o Observed, p *corev1.Pod) {
	l := o.lateness(p)
	if l == nil {
		return
	}
	h.Look = earlier(h.Look, o.look(l))
	if h.Late == nil && o.due(l) {
		h.Late = o.late(l)
	}
}

func running(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool {
		return c.Name == v1beta1.ContainerModel && c.State.Running != nil
	})
}

// podFailure is what a failing Pod says, and the container that fails.
func (o Observed) podFailure(p *corev1.Pod) (*v1beta1.FailureInfo, corev1.ContainerStatus) {
	for _, c := range p.Status.InitContainerStatuses {
		if f := o.containerFailure(p, &c, true); f != nil {
			return f, c
		}
	}
	for _, c := range p.Status.ContainerStatuses {
		if f := o.containerFailure(p, &c, false); f != nil {
			return f, c
		}
	}
	return nil, corev1.ContainerStatus{}
}

// noise matches what the scheduler says about Pods that could give way, and about none.
var noise = regexp.MustCompile(`( no new claims to deallocate,)? preemption: .*|\. not found$`)

// unscheduled is why no node takes a Pod. It waits, and may start at any time.
func unscheduled(p *corev1.Pod) *v1beta1.FailureInfo {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return &v1beta1.FailureInfo{
				Location: p.Name,
				Reason:   v1beta1.RuntimeUnhealthy,
				Message:  "the Pod cannot be scheduled: " + advised(noise.ReplaceAllString(lastLine(c.Message), "")),
			}
		}
	}
	return nil
}

// cannotStart are the reasons for waiting that do not pass by themselves.
var cannotStart = []string{
	"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError",
	"CreateContainerConfigError", "CreateContainerError", "RunContainerError", hookFailed,
}

const hookFailed = "PostStartHookError"

func (o Observed) containerFailure(p *corev1.Pod, c *corev1.ContainerStatus, init bool) *v1beta1.FailureInfo {
	if c.Ready {
		return nil
	}
	if w := c.State.Waiting; w != nil && slices.Contains(cannotStart, w.Reason) {
		why := advised(cmp.Or(lastLine(w.Message), w.Reason))
		if w.Reason == hookFailed {
			why = "its postStart hook fails: " + why
		}
		return &v1beta1.FailureInfo{
			Location: p.Name,
			Reason:   v1beta1.RuntimeUnhealthy,
			Message:  fmt.Sprintf("container %s cannot start: %s", c.Name, why),
		}
	}
	t := c.State.Terminated
	if t == nil {
		t = c.LastTerminationState.Terminated
	}
	if t == nil || init && t.ExitCode == 0 {
		return nil
	}
	f := &v1beta1.FailureInfo{
		Location: p.Name,
		Reason:   v1beta1.RuntimeUnhealthy,
		Message:  o.lastWords(p, c.Name, t),
		ExitCode: t.ExitCode,
	}
	switch {
	case c.Name == v1beta1.ContainerFetch && t.ExitCode == v1beta1.ExitOtherModel:
		f.Reason = v1beta1.ModelChanged
	case c.Name == v1beta1.ContainerModel || c.Name == v1beta1.ContainerFetch:
		f.Reason = v1beta1.ModelLoadFailed
	}
	if !t.FinishedAt.IsZero() {
		f.Time = &metav1.Time{Time: t.FinishedAt.Time}
	}
	return f
}

// lastWords says how a container ended: in a sentence, with its last lines below. The
// last line of Serin's own fetch is a sentence for people.
func (o Observed) lastWords(p *corev1.Pod, name string, t *corev1.ContainerStateTerminated) string {
	last := lastLine(t.Message)
	if name == v1beta1.ContainerFetch && last != "" {
		return last
	}
	if why := o.endedBy(p, name, t); why != "" {
		return why + details(lines(t.Message))
	}
	ended := fmt.Sprintf("container %s ended with exit code %d", name, t.ExitCode)
	switch {
	case t.Reason == "OOMKilled":
		return ended + " (OOMKilled): it needs more memory than its resources.limits.memory" + details(lines(t.Message))
	case last == "":
		return ended + fmt.Sprintf(" (%s)", cmp.Or(t.Reason, "no reason given"))
	}
	return withLines(ended, t.Message)
}

// deploymentFailure is why there are no Pods that could fail themselves.
func deploymentFailure(d *appsv1.Deployment) *v1beta1.FailureInfo {
	if d == nil || d.Spec.Replicas != nil && *d.Spec.Replicas == 0 {
		return nil
	}
	for _, c := range d.Status.Conditions {
		refused := c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue
		if refused || gaveUp(c) {
			return &v1beta1.FailureInfo{
				Location: d.Name,
				Reason:   v1beta1.RuntimeUnhealthy,
				Message:  advised(cmp.Or(lastLine(c.Message), c.Reason)),
			}
		}
	}
	return nil
}

// overdue reports whether a Deployment has waited for its Pods for as long as it may.
func overdue(d *appsv1.Deployment) bool {
	return d != nil && slices.ContainsFunc(d.Status.Conditions, gaveUp)
}

func gaveUp(c appsv1.DeploymentCondition) bool {
	return c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse
}

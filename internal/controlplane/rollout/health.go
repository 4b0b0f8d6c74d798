// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

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
	// Pending is set if no Pod has failed. Failure is then what a Pod waits for: a
	// node, or a volume.
	Pending bool
	// Fetched are the Pods that reported which model they fetched, oldest first.
	Fetched []Fetched
}

// HealthOf reads the health of a revision off its Pods and its Deployment,
// which may be nil. Pods that are being deleted do not count. A Pod fails from
// its first crash until it is ready, also in between, while it tries again.
func HealthOf(pods []corev1.Pod, d *appsv1.Deployment) Health {
	h := Health{Fetched: fetched(pods)}
	pods = slices.SortedFunc(slices.Values(pods), func(a, b corev1.Pod) int { return cmp.Compare(a.Name, b.Name) })
	for i := range pods {
		p := &pods[i]
		if v1beta1.PodLeaving(p) {
			continue // the ReplicaSet makes another
		}
		if v1beta1.PodReady(p) != nil {
			h.Ready++
			continue
		}
		h.Loading = h.Loading || running(p)
		if f := podFailure(p); f != nil {
			h.Failed++
			if h.Failure == nil || h.Pending {
				h.Failure, h.Pending = f, false
			}
		} else if f := cmp.Or(unscheduled(p), unmounted(p)); f != nil && h.Failure == nil {
			h.Failure, h.Pending = f, true
		}
	}
	if h.Failure == nil && h.Ready == 0 {
		h.Failure = deploymentFailure(d)
	}
	if h.Failure != nil {
		h.Failure.Message = cut(h.Failure.Message)
	}
	return h
}

func running(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.ContainerStatuses, func(c corev1.ContainerStatus) bool {
		return c.Name == v1beta1.ContainerModel && c.State.Running != nil
	})
}

func podFailure(p *corev1.Pod) *v1beta1.FailureInfo {
	for _, c := range p.Status.InitContainerStatuses {
		if f := containerFailure(&c, true); f != nil {
			f.Location = p.Name
			return f
		}
	}
	for _, c := range p.Status.ContainerStatuses {
		if f := containerFailure(&c, false); f != nil {
			f.Location = p.Name
			return f
		}
	}
	return nil
}

// unscheduled is why no node takes a Pod. It waits, and may start at any time.
func unscheduled(p *corev1.Pod) *v1beta1.FailureInfo {
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse && c.Reason == corev1.PodReasonUnschedulable {
			return &v1beta1.FailureInfo{
				Location: p.Name,
				Reason:   v1beta1.RuntimeUnhealthy,
				Message:  "the Pod cannot be scheduled: " + lastLine(c.Message),
			}
		}
	}
	return nil
}

// unmounted is which volume a Pod waits for, as the process node says it. A
// kubelet says it in events only.
func unmounted(p *corev1.Pod) *v1beta1.FailureInfo {
	for _, c := range slices.Concat(p.Status.InitContainerStatuses, p.Status.ContainerStatuses) {
		if w := c.State.Waiting; w != nil && w.Reason == "ContainerCreating" && w.Message != "" {
			return &v1beta1.FailureInfo{Location: p.Name, Reason: v1beta1.RuntimeUnhealthy, Message: "the Pod waits: " + lastLine(w.Message)}
		}
	}
	return nil
}

// cannotStart are the reasons for waiting that do not pass by themselves.
var cannotStart = []string{
	"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "ImageInspectError",
	"CreateContainerConfigError", "CreateContainerError", "RunContainerError",
}

func containerFailure(c *corev1.ContainerStatus, init bool) *v1beta1.FailureInfo {
	if c.Ready {
		return nil
	}
	if w := c.State.Waiting; w != nil && slices.Contains(cannotStart, w.Reason) {
		return &v1beta1.FailureInfo{
			Reason:  v1beta1.RuntimeUnhealthy,
			Message: fmt.Sprintf("container %s cannot start: %s", c.Name, cmp.Or(lastLine(w.Message), w.Reason)),
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
		Reason:   v1beta1.RuntimeUnhealthy,
		Message:  lastLine(t.Message),
		ExitCode: t.ExitCode,
	}
	switch {
	case c.Name == v1beta1.ContainerFetch && t.ExitCode == v1beta1.ExitOtherModel:
		f.Reason = v1beta1.ModelChanged
	case c.Name == v1beta1.ContainerModel || c.Name == v1beta1.ContainerFetch:
		f.Reason = v1beta1.ModelLoadFailed
	}
	if f.Message == "" {
		f.Message = fmt.Sprintf("container %s ended with exit code %d (%s)", c.Name, t.ExitCode, cmp.Or(t.Reason, "no reason given"))
	}
	if !t.FinishedAt.IsZero() {
		f.Time = &metav1.Time{Time: t.FinishedAt.Time}
	}
	return f
}

// deploymentFailure is why there are no Pods that could fail themselves.
func deploymentFailure(d *appsv1.Deployment) *v1beta1.FailureInfo {
	if d == nil || d.Spec.Replicas != nil && *d.Spec.Replicas == 0 {
		return nil
	}
	for _, c := range d.Status.Conditions {
		refused := c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue
		late := c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse
		if refused || late {
			return &v1beta1.FailureInfo{
				Location: d.Name,
				Reason:   v1beta1.RuntimeUnhealthy,
				Message:  cmp.Or(lastLine(c.Message), c.Reason),
			}
		}
	}
	return nil
}

// lastLine returns the last line of a failing program's output: its message for
// people, after the progress that it logged.
func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return strings.TrimSpace(s[strings.LastIndexByte(s, '\n')+1:])
}

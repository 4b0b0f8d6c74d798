// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// podStatus returns the status of a Pod. It starts from the status that was shown before: it keeps
// fields of other components, and the transition time of conditions that did not change.
func podStatus(before corev1.PodStatus, v view, now time.Time) corev1.PodStatus {
	st := *before.DeepCopy()
	st.Phase = phase(v)
	st.Reason, st.Message = v.reason, v.message
	st.ObservedGeneration = v.pod.Generation
	st.HostIP = hostAddress
	st.HostIPs = []corev1.HostIP{{IP: hostAddress}}
	st.PodIP = v.pod.Status.PodIP
	st.PodIPs = v.pod.Status.PodIPs
	st.StartTime = v.pod.Status.StartTime
	st.InitContainerStatuses = containerStatuses(v, v.pod.Spec.InitContainers)
	st.ContainerStatuses = containerStatuses(v, v.pod.Spec.Containers)

	for _, c := range conditions(v, st) {
		setCondition(&st, c, now)
	}
	return st
}

func containerStatuses(v view, list []corev1.Container) []corev1.ContainerStatus {
	var out []corev1.ContainerStatus
	for i := range list {
		out = append(out, containerStatus(v, &list[i]))
	}
	return out
}

func containerStatus(v view, c *corev1.Container) corev1.ContainerStatus {
	s := v.containers[c.Name]
	started := s.running != nil && s.started
	out := corev1.ContainerStatus{
		Name: c.Name, Image: c.Image, ImageID: s.program, ContainerID: s.id,
		RestartCount: s.restarts, Started: &started,
		Ready: started && s.ready,
	}
	if isInit(v.pod, c.Name) && !sidecar(c) {
		out.Ready = passed(c, s)
	}
	out.LastTerminationState.Terminated = s.last
	switch {
	case s.running != nil:
		out.State.Running = s.running
	case s.ended != nil && showsEnd(v, c, s):
		out.State.Terminated = s.ended
	case s.ended != nil:
		out.State.Waiting = waiting(v, c, s)
		out.LastTerminationState.Terminated = s.ended
	default:
		out.State.Waiting = waiting(v, c, s)
	}
	return out
}

// showsEnd reports whether an ended container is still shown as terminated and not yet as waiting.
func showsEnd(v view, c *corev1.Container, s container) bool {
	return !restarts(v, c) || (s.waiting.Reason == "" && !s.startAt(s.ended.FinishedAt.Time).After(s.ended.FinishedAt.Time))
}

func waiting(v view, c *corev1.Container, s container) *corev1.ContainerStateWaiting {
	switch {
	case s.waiting.Reason != "":
		w := s.waiting
		return &w
	case s.ended != nil:
		return &corev1.ContainerStateWaiting{
			Reason: "CrashLoopBackOff",
			Message: fmt.Sprintf("back-off %s restarting failed container=%s pod=%s_%s(%s)",
				s.backoff.delay, c.Name, v.pod.Name, v.pod.Namespace, v.pod.UID),
		}
	case !v.initialized && len(v.pod.Spec.InitContainers) > 0:
		return &corev1.ContainerStateWaiting{Reason: "PodInitializing"}
	default:
		return &corev1.ContainerStateWaiting{Reason: "ContainerCreating"}
	}
}

// conditions returns the conditions that follow from the container statuses in st.
func conditions(v view, st corev1.PodStatus) []corev1.PodCondition {
	ready := containersReady(v, st)
	return []corev1.PodCondition{
		{Type: corev1.PodScheduled, Status: corev1.ConditionTrue},
		condition(corev1.PodInitialized, initialized(v, st)),
		condition(corev1.ContainersReady, ready),
		condition(corev1.PodReady, podReady(v, ready)),
	}
}

func initialized(v view, st corev1.PodStatus) verdict {
	if v.initialized || st.Phase == corev1.PodSucceeded {
		return verdict{}
	}
	var names []string
	for i := range v.pod.Spec.InitContainers {
		c := &v.pod.Spec.InitContainers[i]
		if !passed(c, v.containers[c.Name]) {
			names = append(names, c.Name)
		}
	}
	if len(names) == 0 {
		return verdict{}
	}
	return verdict{"ContainersNotInitialized", fmt.Sprintf("containers with incomplete status: [%s]", strings.Join(names, " "))}
}

// verdict is the reason why a condition is False; the zero verdict means that it is True.
type verdict struct{ reason, message string }

func condition(t corev1.PodConditionType, r verdict) corev1.PodCondition {
	status := corev1.ConditionFalse
	if r == (verdict{}) {
		status = corev1.ConditionTrue
	}
	return corev1.PodCondition{Type: t, Status: status, Reason: r.reason, Message: r.message}
}

func containersReady(v view, st corev1.PodStatus) verdict {
	switch st.Phase {
	case corev1.PodSucceeded:
		return verdict{reason: "PodCompleted"}
	case corev1.PodFailed:
		return verdict{reason: "PodFailed"}
	case corev1.PodPending, corev1.PodRunning, corev1.PodUnknown:
	}
	var names []string
	for i, s := range st.InitContainerStatuses {
		if sidecar(&v.pod.Spec.InitContainers[i]) && !s.Ready {
			names = append(names, s.Name)
		}
	}
	for _, s := range st.ContainerStatuses {
		if !s.Ready {
			names = append(names, s.Name)
		}
	}
	if len(names) > 0 {
		return verdict{"ContainersNotReady", fmt.Sprintf("containers with unready status: [%s]", strings.Join(names, " "))}
	}
	return verdict{}
}

// podReady is False as soon as a Pod is deleted, so that routers stop sending requests to it before
// its containers stop.
func podReady(v view, containers verdict) verdict {
	if v.pod.DeletionTimestamp != nil {
		return verdict{"PodTerminating", "the Pod is being deleted"}
	}
	if v.halting {
		return verdict{"NodeStopping", "the node is going down"}
	}
	if containers != (verdict{}) {
		return containers
	}
	for _, gate := range v.pod.Spec.ReadinessGates {
		if conditionStatus(v.pod.Status.Conditions, gate.ConditionType) != corev1.ConditionTrue {
			return verdict{"ReadinessGatesNotReady", fmt.Sprintf("the condition %q is not True", gate.ConditionType)}
		}
	}
	return verdict{}
}

func conditionStatus(list []corev1.PodCondition, t corev1.PodConditionType) corev1.ConditionStatus {
	for _, c := range list {
		if c.Type == t {
			return c.Status
		}
	}
	return corev1.ConditionUnknown
}

// setCondition puts c into st. It keeps an existing PodScheduled, which belongs to the scheduler; a
// Pod that was created with a node name has none.
func setCondition(st *corev1.PodStatus, c corev1.PodCondition, now time.Time) {
	c.LastTransitionTime = metav1.NewTime(now)
	c.ObservedGeneration = st.ObservedGeneration
	for i, old := range st.Conditions {
		if old.Type != c.Type {
			continue
		}
		if c.Type == corev1.PodScheduled {
			return
		}
		if old.Status == c.Status {
			c.LastTransitionTime = old.LastTransitionTime
		}
		c.LastProbeTime = old.LastProbeTime
		st.Conditions[i] = c
		return
	}
	st.Conditions = append(st.Conditions, c)
}

// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"strings"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// podStatus is what the API should show for a Pod. It starts from the status shown before: fields
// that are not the node's stay, and a condition that did not change keeps its transition time.
func podStatus(before v1.PodStatus, v view, now time.Time) v1.PodStatus {
	st := *before.DeepCopy()
	st.Phase = phase(v)
	st.Reason, st.Message = v.reason, v.message
	st.ObservedGeneration = v.pod.Generation
	st.HostIP = hostAddress
	st.HostIPs = []v1.HostIP{{IP: hostAddress}}
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

func containerStatuses(v view, list []v1.Container) []v1.ContainerStatus {
	var out []v1.ContainerStatus
	for i := range list {
		out = append(out, containerStatus(v, &list[i]))
	}
	return out
}

func containerStatus(v view, c *v1.Container) v1.ContainerStatus {
	s := v.containers[c.Name]
	started := s.running != nil && s.started
	out := v1.ContainerStatus{
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

// showsEnd says whether a container that ended still shows how, or already waits for its restart.
func showsEnd(v view, c *v1.Container, s container) bool {
	return !restarts(v, c) || (s.waiting.Reason == "" && !s.startAt().After(s.ended.FinishedAt.Time))
}

func waiting(v view, c *v1.Container, s container) *v1.ContainerStateWaiting {
	switch {
	case s.waiting.Reason != "":
		w := s.waiting
		return &w
	case s.ended != nil:
		return &v1.ContainerStateWaiting{
			Reason: "CrashLoopBackOff",
			Message: fmt.Sprintf("back-off %s restarting failed container=%s pod=%s_%s(%s)",
				s.backoff.delay, c.Name, v.pod.Name, v.pod.Namespace, v.pod.UID),
		}
	case !v.initialized && len(v.pod.Spec.InitContainers) > 0:
		return &v1.ContainerStateWaiting{Reason: "PodInitializing"}
	default:
		return &v1.ContainerStateWaiting{Reason: "ContainerCreating"}
	}
}

// conditions judges a Pod by the container statuses in st.
func conditions(v view, st v1.PodStatus) []v1.PodCondition {
	ready := containersReady(v, st)
	return []v1.PodCondition{
		{Type: v1.PodScheduled, Status: v1.ConditionTrue},
		condition(v1.PodInitialized, initialized(v, st)),
		condition(v1.ContainersReady, ready),
		condition(v1.PodReady, podReady(v, ready)),
	}
}

func initialized(v view, st v1.PodStatus) verdict {
	if v.initialized || st.Phase == v1.PodSucceeded {
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

func condition(t v1.PodConditionType, r verdict) v1.PodCondition {
	status := v1.ConditionFalse
	if r == (verdict{}) {
		status = v1.ConditionTrue
	}
	return v1.PodCondition{Type: t, Status: status, Reason: r.reason, Message: r.message}
}

func containersReady(v view, st v1.PodStatus) verdict {
	switch st.Phase {
	case v1.PodSucceeded:
		return verdict{reason: "PodCompleted"}
	case v1.PodFailed:
		return verdict{reason: "PodFailed"}
	case v1.PodPending, v1.PodRunning, v1.PodUnknown:
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

// podReady is False from the moment a Pod is deleted: who sends requests to it should stop before
// its containers do.
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
		if conditionStatus(v.pod.Status.Conditions, gate.ConditionType) != v1.ConditionTrue {
			return verdict{"ReadinessGatesNotReady", fmt.Sprintf("the condition %q is not True", gate.ConditionType)}
		}
	}
	return verdict{}
}

func conditionStatus(list []v1.PodCondition, t v1.PodConditionType) v1.ConditionStatus {
	for _, c := range list {
		if c.Type == t {
			return c.Status
		}
	}
	return v1.ConditionUnknown
}

// setCondition puts c into st. Whether the Pod was scheduled is the scheduler's to say, unless it
// said nothing because the Pod named its node itself.
func setCondition(st *v1.PodStatus, c v1.PodCondition, now time.Time) {
	c.LastTransitionTime = metav1.NewTime(now)
	c.ObservedGeneration = st.ObservedGeneration
	for i, old := range st.Conditions {
		if old.Type != c.Type {
			continue
		}
		if c.Type == v1.PodScheduled {
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

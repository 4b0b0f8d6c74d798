// SPDX-License-Identifier: Apache-2.0

package node

import (
	"cmp"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// restored is the state of a Pod when the node starts. The processes of an earlier node are gone.
// Init containers run again, because the files that they made may be gone too.
func restored(pod *corev1.Pod, now time.Time) view {
	v := view{pod: pod, containers: map[string]container{}}
	for _, list := range [][]corev1.ContainerStatus{pod.Status.InitContainerStatuses, pod.Status.ContainerStatuses} {
		for _, s := range list {
			v.containers[s.Name] = restoredContainer(s, now)
		}
	}
	if settled(pod.Status.Phase) {
		v.final, v.reason, v.message = pod.Status.Phase, pod.Status.Reason, pod.Status.Message
	}
	// A Pod that restarts no container needs no init containers.
	v.initialized = true
	if settled(phase(v)) {
		return v
	}
	v.initialized = false
	for _, s := range pod.Status.InitContainerStatuses {
		c := v.containers[s.Name]
		c.last, c.ended = cmp.Or(c.ended, c.last), nil
		v.containers[s.Name] = c
	}
	return v
}

func restoredContainer(s corev1.ContainerStatus, now time.Time) container {
	c := container{id: s.ContainerID, program: s.ImageID, restarts: s.RestartCount, last: s.LastTerminationState.Terminated}
	switch {
	case s.State.Terminated != nil:
		c.ended = s.State.Terminated
	case s.State.Running != nil:
		c.ended = &corev1.ContainerStateTerminated{
			ExitCode: 137, Reason: "ContainerStatusUnknown", Message: "the node stopped while the container was running",
			StartedAt: s.State.Running.StartedAt, FinishedAt: metav1.NewTime(now), ContainerID: s.ContainerID,
		}
	}
	return c
}

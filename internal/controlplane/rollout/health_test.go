// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

func TestHealthOf(t *testing.T) {
	finished := metav1.NewTime(epoch.Add(time.Minute))
	exited := func(code int32, message string) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: "Error", Message: message, FinishedAt: finished}}
	}
	waiting := func(reason, message string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
	runs := corev1.ContainerState{Running: &corev1.ContainerStateRunning{}}
	pod := func(name string, s corev1.PodStatus) corev1.Pod {
		return corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: s}
	}
	isReady := corev1.PodStatus{
		Conditions:        []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		ContainerStatuses: []corev1.ContainerStatus{{Name: v1beta1.ContainerModel, Ready: true, State: runs, LastTerminationState: exited(1, "long ago")}},
	}
	fetchFailed := pod("a", corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{
		Name: v1beta1.ContainerFetch, State: waiting("CrashLoopBackOff", "back-off 10s"), LastTerminationState: exited(1, "1 of 2 files\ngs://b/m: no such object\n"),
	}}})
	fetchFailure := &v1beta1.FailureInfo{
		Location: "a", Reason: v1beta1.ModelLoadFailed, Message: "gs://b/m: no such object", ExitCode: 1, Time: &finished,
	}
	digest := func(of string) string { return "sha256:" + strings.Repeat(of, 64) }
	fetched := func(name string, age time.Duration, of, state string) corev1.Pod {
		p := pod(name, corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{Name: v1beta1.ContainerFetch, Ready: true, State: exited(0, digest(of))}}})
		p.CreationTimestamp = metav1.NewTime(epoch.Add(age * time.Second))
		switch state {
		case "Ready":
			p.Status.Conditions = isReady.Conditions
		case "Leaving":
			p.DeletionTimestamp = &finished
		}
		return p
	}
	deleting := pod("gone", isReady)
	deleting.DeletionTimestamp = &finished

	for name, tt := range map[string]struct {
		pods       []corev1.Pod
		deployment *appsv1.Deployment
		want       Health
	}{
		"no Pods": {},
		"a ready Pod, whatever happened before": {
			pods: []corev1.Pod{pod("a", isReady)},
			want: Health{Ready: 1},
		},
		"a Pod that is being deleted does not count": {
			pods: []corev1.Pod{deleting},
		},
		"an evicted Pod does not count": {
			pods: []corev1.Pod{pod("a", corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted"})},
		},
		"a model is fetched": {
			pods: []corev1.Pod{pod("a", corev1.PodStatus{
				InitContainerStatuses: []corev1.ContainerStatus{{Name: v1beta1.ContainerFetch, State: runs}},
				ContainerStatuses:     []corev1.ContainerStatus{{Name: v1beta1.ContainerModel, State: waiting("PodInitializing", "")}},
			})},
		},
		"a model is loaded": {
			pods: []corev1.Pod{pod("a", corev1.PodStatus{
				InitContainerStatuses: []corev1.ContainerStatus{{Name: v1beta1.ContainerFetch, Ready: true, State: exited(0, "")}},
				ContainerStatuses:     []corev1.ContainerStatus{{Name: v1beta1.ContainerModel, State: runs}},
			})},
			want: Health{Loading: true},
		},
		"the fetch failed: its last line is the message": {
			pods: []corev1.Pod{fetchFailed},
			want: Health{Failed: 1, Failure: fetchFailure},
		},
		"the fetch failed and tries again": {
			pods: []corev1.Pod{pod("a", corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{
				Name: v1beta1.ContainerFetch, State: runs, LastTerminationState: exited(1, "gs://b/m: no such object"),
			}}})},
			want: Health{Failed: 1, Failure: fetchFailure},
		},
		"the fetch found another model": {
			pods: []corev1.Pod{pod("a", corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{
				Name: v1beta1.ContainerFetch, State: exited(v1beta1.ExitOtherModel, "the model is another"),
			}}})},
			want: Health{Failed: 1, Failure: &v1beta1.FailureInfo{
				Location: "a", Reason: v1beta1.ModelChanged, Message: "the model is another", ExitCode: v1beta1.ExitOtherModel, Time: &finished,
			}},
		},
		"Pods that fetched a model, the oldest first": {
			pods: []corev1.Pod{fetched("b", 1, "a", "Ready"), fetched("c", 0, "c", ""), fetched("a", 1, "b", ""), fetched("d", 0, "d", "Leaving")},
			want: Health{Ready: 1, Fetched: []Fetched{{"c", digest("c"), false}, {"a", digest("b"), false}, {"b", digest("a"), true}}},
		},
		"one Pod is ready, another fails": {
			pods: []corev1.Pod{pod("b", isReady), fetchFailed},
			want: Health{Ready: 1, Failed: 1, Failure: fetchFailure},
		},
		"the first of two failing Pods by name speaks for both": {
			pods: []corev1.Pod{pod("b", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
				Name: v1beta1.ContainerModel, State: exited(2, "other"),
			}}}), fetchFailed},
			want: Health{Failed: 2, Failure: fetchFailure},
		},
		"the model server was killed without a word": {
			pods: []corev1.Pod{pod("a", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
				Name: v1beta1.ContainerModel, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: 137, Reason: "OOMKilled"}},
			}}})},
			want: Health{Failed: 1, Failure: &v1beta1.FailureInfo{
				Location: "a", Reason: v1beta1.ModelLoadFailed, ExitCode: 137, Message: "container kserve-container ended with exit code 137 (OOMKilled)",
			}},
		},
		"a server that ends has failed, also with exit code 0": {
			pods: []corev1.Pod{pod("a", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
				Name: v1beta1.ContainerModel, State: exited(0, "bye"),
			}}})},
			want: Health{Failed: 1, Failure: &v1beta1.FailureInfo{Location: "a", Reason: v1beta1.ModelLoadFailed, Message: "bye", Time: &finished}},
		},
		"the sidecar fails": {
			pods: []corev1.Pod{pod("a", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{
				{Name: v1beta1.ContainerModel, State: runs},
				{Name: v1beta1.ContainerQueue, State: exited(1, "port 8012 is in use")},
			}})},
			want: Health{Loading: true, Failed: 1, Failure: &v1beta1.FailureInfo{
				Location: "a", Reason: v1beta1.RuntimeUnhealthy, Message: "port 8012 is in use", ExitCode: 1, Time: &finished,
			}},
		},
		"an image cannot be pulled": {
			pods: []corev1.Pod{pod("a", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
				Name: v1beta1.ContainerModel, State: waiting("ErrImagePull", "no such image"),
			}}})},
			want: Health{Failed: 1, Failure: &v1beta1.FailureInfo{
				Location: "a", Reason: v1beta1.RuntimeUnhealthy, Message: "container kserve-container cannot start: no such image",
			}},
		},
		"no node has room": {
			pods: []corev1.Pod{pod("a", corev1.PodStatus{Conditions: []corev1.PodCondition{{
				Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/1 nodes are available",
			}}})},
			want: Health{Pending: true, Failure: &v1beta1.FailureInfo{
				Location: "a", Reason: v1beta1.RuntimeUnhealthy, Message: "the Pod cannot be scheduled: 0/1 nodes are available",
			}},
		},
		"no node has room for one, and another fails": {
			pods: []corev1.Pod{
				pod("a", corev1.PodStatus{Conditions: []corev1.PodCondition{{
					Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable, Message: "0/1 nodes are available",
				}}}),
				pod("b", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: v1beta1.ContainerModel, State: exited(1, "bye")}}}),
			},
			want: Health{Failed: 1, Failure: &v1beta1.FailureInfo{
				Location: "b", Reason: v1beta1.ModelLoadFailed, Message: "bye", ExitCode: 1, Time: &finished,
			}},
		},
		"a volume is missing": {
			pods: []corev1.Pod{pod("a", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{
				{Name: v1beta1.ContainerModel, State: waiting("ContainerCreating", `volume "data": secrets "keys" not found`)},
				{Name: v1beta1.ContainerQueue, State: waiting("ContainerCreating", "")},
			}})},
			want: Health{Pending: true, Failure: &v1beta1.FailureInfo{
				Location: "a", Reason: v1beta1.RuntimeUnhealthy, Message: `the Pod waits: volume "data": secrets "keys" not found`,
			}},
		},
		"Pods are refused": {
			deployment: &appsv1.Deployment{
				ObjectMeta: metav1.ObjectMeta{Name: "d"},
				Status: appsv1.DeploymentStatus{Conditions: []appsv1.DeploymentCondition{{
					Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: "exceeded quota",
				}}},
			},
			want: Health{Failure: &v1beta1.FailureInfo{Location: "d", Reason: v1beta1.RuntimeUnhealthy, Message: "exceeded quota"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, HealthOf(tt.pods, tt.deployment)); diff != "" {
				t.Errorf("HealthOf (-want +got):\n%s", diff)
			}
		})
	}
}

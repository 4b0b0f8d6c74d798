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
				Location: "a", Reason: v1beta1.ModelLoadFailed, ExitCode: 137, Message: "container kserve-container ended with exit code 137 (OOMKilled): it needs more memory than its resources.limits.memory",
			}},
		},
		"a server that ends has failed, also with exit code 0": {
			pods: []corev1.Pod{pod("a", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
				Name: v1beta1.ContainerModel, State: exited(0, "bye"),
			}}})},
			want: Health{Failed: 1, Failure: &v1beta1.FailureInfo{Location: "a", Reason: v1beta1.ModelLoadFailed, Message: "container kserve-container ended with exit code 0: bye", Time: &finished}},
		},
		"the sidecar fails": {
			pods: []corev1.Pod{pod("a", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{
				{Name: v1beta1.ContainerModel, State: runs},
				{Name: v1beta1.ContainerQueue, State: exited(1, "port 8012 is in use")},
			}})},
			want: Health{Loading: true, Failed: 1, Failure: &v1beta1.FailureInfo{
				Location: "a", Reason: v1beta1.RuntimeUnhealthy, Message: "container queue-proxy ended with exit code 1: port 8012 is in use", ExitCode: 1, Time: &finished,
			}},
		},
		"of a crashed program the last lines, without what a terminal would obey": {
			pods: []corev1.Pod{pod("a", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
				Name: v1beta1.ContainerModel, State: waiting("CrashLoopBackOff", "back-off"),
				LastTerminationState: exited(2, "\x1b[31mloading 1%\rloading\t99%\x1b[0m\n\nusage: server [--port PORT]\n\x1b]0;title\x07server: error: unrecognized arguments: --x\u202e\xff\n"),
			}}})},
			want: Health{Failed: 1, Failure: &v1beta1.FailureInfo{
				Location: "a", Reason: v1beta1.ModelLoadFailed, ExitCode: 2, Time: &finished,
				Message: "container kserve-container ended with exit code 2: server: error: unrecognized arguments: --x\n" +
					"Its last lines:\n  loading 99%\n  usage: server [--port PORT]\n  server: error: unrecognized arguments: --x",
			}},
		},
		"of very many lines the last": {
			pods: []corev1.Pod{pod("a", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
				Name: "other", State: exited(1, strings.Repeat("x\n", 1000)+strings.Repeat("last\n", maxLines)),
			}}})},
			want: Health{Failed: 1, Failure: &v1beta1.FailureInfo{
				Location: "a", Reason: v1beta1.RuntimeUnhealthy, ExitCode: 1, Time: &finished,
				Message: "container other ended with exit code 1: last\nIts last lines:" + strings.Repeat("\n  last", maxLines),
			}},
		},
		"an init container of the user's fails": {
			pods: []corev1.Pod{pod("a", corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{{Name: "check", State: exited(3, "no database")}}})},
			want: Health{Failed: 1, Failure: &v1beta1.FailureInfo{
				Location: "a", Reason: v1beta1.RuntimeUnhealthy, ExitCode: 3, Time: &finished, Message: "container check ended with exit code 3: no database",
			}},
		},
		"a Secret is missing": {
			pods: []corev1.Pod{pod("a", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{
				Name: v1beta1.ContainerModel, State: waiting("CreateContainerConfigError", `secret "token" not found`),
			}}})},
			want: Health{Failed: 1, Failure: &v1beta1.FailureInfo{
				Location: "a", Reason: v1beta1.RuntimeUnhealthy,
				Message: `container kserve-container cannot start: secret "token" not found. Create the Secret, or correct its name`,
			}},
		},
		"a postStart hook fails": {
			pods: []corev1.Pod{pod("a", corev1.PodStatus{ContainerStatuses: []corev1.ContainerStatus{{Name: "other", State: waiting("PostStartHookError", "cannot register")}}})},
			want: Health{Failed: 1, Failure: &v1beta1.FailureInfo{
				Location: "a", Reason: v1beta1.RuntimeUnhealthy, Message: "container other cannot start: its postStart hook fails: cannot register",
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
				Location: "b", Reason: v1beta1.ModelLoadFailed, Message: "container kserve-container ended with exit code 1: bye", ExitCode: 1, Time: &finished,
			}},
		},
		"the service account is missing": {
			deployment: &appsv1.Deployment{
				ObjectMeta: metav1.ObjectMeta{Name: "d"},
				Status: appsv1.DeploymentStatus{Conditions: []appsv1.DeploymentCondition{{
					Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Message: `pods "d-" is forbidden: error looking up service account ns/x: serviceaccount "x" not found`,
				}}},
			},
			want: Health{Failure: &v1beta1.FailureInfo{
				Location: "d", Reason: v1beta1.RuntimeUnhealthy,
				Message: `pods "d-" is forbidden: error looking up service account ns/x: serviceaccount "x" not found. Create it, or correct serviceAccountName`,
			}},
		},
		"no node has enough CPU": {
			pods: []corev1.Pod{pod("a", corev1.PodStatus{Conditions: []corev1.PodCondition{{
				Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Reason: corev1.PodReasonUnschedulable,
				Message: "0/1 nodes are available: 1 Insufficient cpu. no new claims to deallocate, preemption: 0/1 nodes are available: 1 No preemption victims found for incoming pod.",
			}}})},
			want: Health{Pending: true, Failure: &v1beta1.FailureInfo{
				Location: "a", Reason: v1beta1.RuntimeUnhealthy,
				Message: "the Pod cannot be scheduled: 0/1 nodes are available: 1 Insufficient cpu. Lower resources.requests, or make room",
			}},
		},
		"Pods are refused": {
			deployment: &appsv1.Deployment{
				ObjectMeta: metav1.ObjectMeta{Name: "d"},
				Status: appsv1.DeploymentStatus{Conditions: []appsv1.DeploymentCondition{{
					Type: appsv1.DeploymentReplicaFailure, Status: corev1.ConditionTrue, Reason: "FailedCreate", Message: "exceeded quota",
				}}},
			},
			want: Health{Failure: &v1beta1.FailureInfo{Location: "d", Reason: v1beta1.RuntimeUnhealthy, Message: "exceeded quota. Raise the quota, or lower the resources"}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, HealthOf(Observed{Pods: tt.pods, Deployment: tt.deployment})); diff != "" {
				t.Errorf("HealthOf (-want +got):\n%s", diff)
			}
		})
	}
}

// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestOnlyAReplicaSetMakesPodsOfARevision(t *testing.T) {
	const revision = "iris-predictor-00001"
	for name, c := range map[string]struct {
		label string
		owner *metav1.OwnerReference
		want  string
	}{
		"its ReplicaSet's":        {revision, &metav1.OwnerReference{Kind: "ReplicaSet", Name: revision + "-deployment-5d4f", Controller: new(true)}, revision},
		"nobody's":                {revision, nil, ""},
		"another ReplicaSet's":    {revision, &metav1.OwnerReference{Kind: "ReplicaSet", Name: "debug-5d4f", Controller: new(true)}, ""},
		"another revision's":      {revision, &metav1.OwnerReference{Kind: "ReplicaSet", Name: "iris-predictor-00002-deployment-5d4f", Controller: new(true)}, ""},
		"a Job's":                 {revision, &metav1.OwnerReference{Kind: "Job", Name: revision + "-deployment-5d4f", Controller: new(true)}, ""},
		"not controlled":          {revision, &metav1.OwnerReference{Kind: "ReplicaSet", Name: revision + "-deployment-5d4f"}, ""},
		"without a label":         {"", &metav1.OwnerReference{Kind: "ReplicaSet", Name: "-deployment-5d4f", Controller: new(true)}, ""},
		"a revision of no length": {"", nil, ""},
	} {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{LabelRevision: c.label}}}
		if c.owner != nil {
			p.OwnerReferences = []metav1.OwnerReference{*c.owner}
		}
		if got := RevisionOfPod(p); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestPodsThatAreReadyOrLeave(t *testing.T) {
	condition := func(status corev1.ConditionStatus) []corev1.PodCondition {
		return []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionTrue}, {Type: corev1.PodReady, Status: status}}
	}
	deleted := metav1.ObjectMeta{DeletionTimestamp: &metav1.Time{Time: time.Unix(1, 0)}}
	for name, c := range map[string]struct {
		pod            corev1.Pod
		ready, leaving bool
	}{
		"ready":      {corev1.Pod{Status: corev1.PodStatus{Conditions: condition(corev1.ConditionTrue)}}, true, false},
		"not ready":  {corev1.Pod{Status: corev1.PodStatus{Conditions: condition(corev1.ConditionFalse)}}, false, false},
		"new":        {corev1.Pod{}, false, false},
		"terminated": {corev1.Pod{ObjectMeta: deleted, Status: corev1.PodStatus{Conditions: condition(corev1.ConditionTrue)}}, true, true},
		"failed":     {corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodFailed}}, false, true},
		"succeeded":  {corev1.Pod{Status: corev1.PodStatus{Phase: corev1.PodSucceeded}}, false, true},
	} {
		if ready, leaving := PodReady(&c.pod) != nil, PodLeaving(&c.pod); ready != c.ready || leaving != c.leaving {
			t.Errorf("%s: ready %v, leaving %v", name, ready, leaving)
		}
	}
}

func TestPodConcurrency(t *testing.T) {
	for name, c := range map[string]struct {
		annotation, argument string
		want                 int
		broken               bool
	}{
		"the annotation":                        {annotation: "4", argument: "--concurrency=3", want: 4},
		"any number":                            {annotation: "0", argument: "--concurrency=3"},
		"the argument of an earlier version":    {argument: "--concurrency=3", want: 3},
		"neither":                               {},
		"a broken annotation":                   {annotation: "many", argument: "--concurrency=3", broken: true},
		"a negative one":                        {annotation: "-1", broken: true},
		"an argument that no queue starts with": {argument: "--concurrency=99999999999999999999", broken: true},
	} {
		p := &corev1.Pod{Spec: corev1.PodSpec{Containers: []corev1.Container{
			{Name: ContainerModel, Args: []string{"--concurrency=7"}}, {Name: ContainerQueue, Args: []string{"--port=8012", c.argument}},
		}}}
		if c.annotation != "" {
			p.Annotations = map[string]string{AnnotationConcurrency: c.annotation}
		}
		if got, err := PodConcurrency(p); got != c.want || (err != nil) != c.broken {
			t.Errorf("%s: %d, %v", name, got, err)
		}
	}
}

// What a Pod reports is input from a stranger.
func TestModelDigestOfAPodHasOneForm(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0a", 32)
	status := func(name string, code int32, message string) corev1.ContainerStatus {
		return corev1.ContainerStatus{Name: name, State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Message: message}}}
	}
	for name, tt := range map[string]struct {
		status corev1.ContainerStatus
		want   string
	}{
		"as reported":          {status(ContainerFetch, 0, digest), digest},
		"with a line's end":    {status(ContainerFetch, 0, digest+"\n"), digest},
		"after a failure":      {status(ContainerFetch, 1, digest), ""},
		"of another container": {status("mine", 0, digest), ""},
		"of two models":        {status(ContainerFetch, 0, digest+"\n"+digest), ""},
		"cut off":              {status(ContainerFetch, 0, digest[:70]), ""},
		"a sentence":           {status(ContainerFetch, 0, "all is well"), ""},
		"running":              {corev1.ContainerStatus{Name: ContainerFetch}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := &corev1.Pod{Status: corev1.PodStatus{InitContainerStatuses: []corev1.ContainerStatus{tt.status}}}
			if got := PodModelDigest(p); got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

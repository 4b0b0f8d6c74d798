// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/testkit/eventually"
)

// TestPodThatIsNotReadyIsExplainedByItsEvents waits until a Pod is late, while
// nothing changes that the controller watches.
func TestPodThatIsNotReadyIsExplainedByItsEvents(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	defer node.hold(t, ns, "iris-predictor-00001")()
	apply(t, ns, "model: {modelFormat: {name: sklearn}, storageUri: 'gs://b/one', readinessProbe: {tcpSocket: {port: 8081}, periodSeconds: 1}}")
	var pod corev1.Pod
	eventually.Holds(t, func(ctx context.Context) (any, bool) {
		var pods corev1.PodList
		err := api.List(ctx, &pods, client.InNamespace(ns))
		if err != nil || len(pods.Items) != 1 || pods.Items[0].Status.Phase != corev1.PodRunning {
			return pods.Items, false
		}
		pod = pods.Items[0]
		return nil, true
	})
	now := time.Now()
	event := &corev1.Event{
		ObjectMeta:     metav1.ObjectMeta{Namespace: ns, Name: "unhealthy"},
		InvolvedObject: corev1.ObjectReference{APIVersion: "v1", Kind: "Pod", Namespace: ns, Name: pod.Name, UID: pod.UID, FieldPath: "spec.containers{kserve-container}"},
		Type:           corev1.EventTypeWarning, Reason: "Unhealthy", Message: "Readiness probe failed: dial tcp 10.0.0.1:8081: connect: connection refused",
		LastTimestamp: metav1.NewTime(now),
	}
	if err := api.Create(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	pod.Status.ContainerStatuses = []corev1.ContainerStatus{{
		Name: v1beta1.ContainerModel, Started: new(true),
		State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: metav1.NewTime(now.Add(-28 * time.Second))}},
	}}
	if err := api.Status().Update(t.Context(), &pod); err != nil {
		t.Fatal(err)
	}
	s := wait(t, ns, func(s *v1beta1.InferenceService) bool {
		m := s.Status.ModelStatus
		return m != nil && m.LastFailureInfo != nil
	})
	want := "container kserve-container is not ready: its readiness probe asks for port 8081, where nothing listens (connection refused). "
	if m := s.Status.ModelStatus; !strings.HasPrefix(m.LastFailureInfo.Message, want) || m.TransitionStatus != v1beta1.InProgress {
		t.Errorf("model status: %+v, %+v", m, m.LastFailureInfo)
	}
	if c := condition(s, v1beta1.ConditionReady); c.Status != metav1.ConditionUnknown || !strings.Contains(c.Message, want) {
		t.Errorf("Ready: %+v", c)
	}
}

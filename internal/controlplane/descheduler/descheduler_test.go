// SPDX-License-Identifier: Apache-2.0

package descheduler_test

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/descheduler"
	"github.com/serin-dev/serin/internal/controlplane/operator"
	"github.com/serin-dev/serin/internal/controlplane/spread"
	"github.com/serin-dev/serin/internal/testkit/eventually"
	"github.com/serin-dev/serin/internal/testkit/kubetest"
)

const namespace = "default"

// The API, the scheduler and the controllers of Kubernetes are real, and the
// nodes are played.
func TestDescheduler(t *testing.T) {
	client := kubetest.Run(t, func(ctx context.Context, api *rest.Config) error {
		return descheduler.Run(ctx, descheduler.Config{Config: operator.Config{REST: api, Log: slog.New(slog.DiscardHandler)}, Namespace: namespace})
	})
	createNode(t, client, "a", "100")
	createNode(t, client, "b", "0") // no room

	free := create(t, client, "free", map[string]string{v1beta1.LabelPartOf: v1beta1.PartOf}, nil)
	kept := create(t, client, "kept", map[string]string{v1beta1.LabelPartOf: v1beta1.PartOf}, new(intstr.FromInt32(0)))
	other := create(t, client, "other", nil, nil)
	for _, d := range []*appsv1.Deployment{free, kept, other} {
		awaitNodes(t, client, d.Name, "a", "a")
	}
	patch(t, client, "b", `{"status":{"allocatable":{"cpu":"100"}}}`)

	awaitNodes(t, client, free.Name, "a", "b")
	// By the budget that lets none go, the API refuses: tried once, and noted.
	eventually.Holds(t, func(ctx context.Context) (any, bool) {
		d, err := client.AppsV1().Deployments(namespace).Get(ctx, kept.Name, metav1.GetOptions{})
		if err != nil {
			return err, false
		}
		r, err := spread.ParseRecord(d.Annotations[v1beta1.AnnotationEvictions])
		return d.Annotations, err == nil && r.Count == 1
	})
	awaitNodes(t, client, kept.Name, "a", "a")
	awaitNodes(t, client, other.Name, "a", "a")
	for name, want := range map[string]string{free.Name: "1 ", other.Name: ""} {
		d, err := client.AppsV1().Deployments(namespace).Get(t.Context(), name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if got := d.Annotations[v1beta1.AnnotationEvictions]; len(got) < len(want) || got[:len(want)] != want || want == "" && got != "" {
			t.Errorf("%s has had evictions %q, want %q", name, got, want)
		}
	}
	events, err := client.CoreV1().Events(namespace).List(t.Context(), metav1.ListOptions{FieldSelector: "reason=Evicted"})
	if err != nil {
		t.Fatal(err)
	}
	if len(events.Items) != 1 || events.Items[0].InvolvedObject.Name != free.Name {
		t.Errorf("events %+v, want one of %s", events.Items, free.Name)
	}
}

func createNode(t *testing.T, client kubernetes.Interface, name, cpu string) {
	t.Helper()
	room := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse("1Ti"), corev1.ResourcePods: resource.MustParse("100")}
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Status: corev1.NodeStatus{
		Capacity: room, Allocatable: room,
		Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastTransitionTime: longAgo()}},
	}}
	if _, err := client.CoreV1().Nodes().Create(t.Context(), n, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
}

func longAgo() metav1.Time { return metav1.NewTime(time.Now().Add(-time.Hour)) }

func patch(t *testing.T, client kubernetes.Interface, node, status string) {
	t.Helper()
	if _, err := client.CoreV1().Nodes().Patch(t.Context(), node, types.MergePatchType, []byte(status), metav1.PatchOptions{}, "status"); err != nil {
		t.Fatal(err)
	}
}

// create makes a Deployment of two Pods, with a budget if it may lose only so many.
func create(t *testing.T, client kubernetes.Interface, name string, labels map[string]string, mayLose *intstr.IntOrString) *appsv1.Deployment {
	t.Helper()
	pod := map[string]string{v1beta1.LabelPartName: name}
	selector := &metav1.LabelSelector{MatchLabels: pod}
	maps.Copy(pod, labels)
	d, err := client.AppsV1().Deployments(namespace).Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(2)),
			Selector: selector,
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: pod},
				Spec: corev1.PodSpec{Containers: []corev1.Container{{
					Name: "c", Image: "i", Resources: corev1.ResourceRequirements{Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("1")}},
				}}},
			},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if mayLose != nil {
		budget := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: policyv1.PodDisruptionBudgetSpec{MaxUnavailable: mayLose, Selector: selector}}
		if _, err := client.PolicyV1().PodDisruptionBudgets(namespace).Create(t.Context(), budget, metav1.CreateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// awaitNodes plays the kubelets until a Deployment's Pods are ready on these
// nodes: Pods have been ready for long, and go when they are told to.
func awaitNodes(t *testing.T, client kubernetes.Interface, name string, want ...string) {
	t.Helper()
	eventually.Holds(t, func(ctx context.Context) (any, bool) {
		pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{LabelSelector: v1beta1.LabelPartName + "=" + name})
		if err != nil {
			return err, false
		}
		var on []string
		for i := range pods.Items {
			p := &pods.Items[i]
			switch {
			case p.DeletionTimestamp != nil:
				err = client.CoreV1().Pods(namespace).Delete(ctx, p.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
			case p.Spec.NodeName != "" && p.Status.Phase != corev1.PodRunning:
				p.Status = corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: longAgo()}}}
				_, err = client.CoreV1().Pods(namespace).UpdateStatus(ctx, p, metav1.UpdateOptions{})
			case p.Status.Phase == corev1.PodRunning:
				on = append(on, p.Spec.NodeName)
			}
			if err != nil {
				return err, false
			}
		}
		slices.Sort(on)
		return on, slices.Equal(on, want)
	})
}

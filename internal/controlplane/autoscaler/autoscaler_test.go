// SPDX-License-Identifier: Apache-2.0

package autoscaler_test

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/autoscaler"
	"github.com/serin-dev/serin/internal/controlplane/operator"
	"github.com/serin-dev/serin/internal/report"
	"github.com/serin-dev/serin/internal/testkit/eventually"
	"github.com/serin-dev/serin/internal/testkit/kubetest"
)

func TestAutoscaler(t *testing.T) {
	routers := holdRequest(t, "held")
	client := kubetest.Run(t, func(ctx context.Context, api *rest.Config) error {
		return autoscaler.Run(ctx, autoscaler.Config{Config: operator.Config{REST: api, Log: slog.New(slog.DiscardHandler)}, Routers: routers})
	})

	ago := func(d time.Duration) string { return time.Now().Add(-d).UTC().Format(time.RFC3339) }
	for name, tt := range map[string]struct {
		annotations map[string]string
		from, want  int32
	}{
		"an active revision": {
			map[string]string{v1beta1.AnnotationActive: "true", v1beta1.AnnotationMinReplicas: "3"}, 0, 3,
		},
		"long idle": {
			map[string]string{v1beta1.AnnotationActive: "false", v1beta1.AnnotationMinReplicas: "3", v1beta1.AnnotationIdleSince: ago(time.Minute)}, 3, 0,
		},
		"idle for almost long enough": {
			map[string]string{v1beta1.AnnotationActive: "false", v1beta1.AnnotationMinReplicas: "3", v1beta1.AnnotationIdleSince: ago(28 * time.Second)}, 3, 0,
		},
		"stopped": {
			map[string]string{v1beta1.AnnotationActive: "false", v1beta1.AnnotationMinReplicas: "1"}, 1, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := create(t, client, tt.annotations, tt.from)
			eventually.Holds(t, func(ctx context.Context) (any, bool) {
				got, err := client.AppsV1().Deployments(d.Namespace).Get(ctx, d.Name, metav1.GetOptions{})
				if err != nil {
					return err, false
				}
				return *got.Spec.Replicas, *got.Spec.Replicas == tt.want && owns(got)
			})
		})
	}

	t.Run("a request that is held wakes its revision, and no other", func(t *testing.T) {
		asleep := map[string]string{v1beta1.AnnotationActive: "true", v1beta1.AnnotationMinReplicas: "0", v1beta1.AnnotationMaxReplicas: "0"}
		other := create(t, client, asleep, 0)
		createNamed(t, client, "held-deployment", asleep, 0)
		eventually.Holds(t, func(ctx context.Context) (any, bool) {
			got, err := client.AppsV1().Deployments("default").Get(ctx, "held-deployment", metav1.GetOptions{})
			if err != nil {
				return err, false
			}
			return *got.Spec.Replicas, *got.Spec.Replicas == 1
		})
		got, err := client.AppsV1().Deployments(other.Namespace).Get(t.Context(), other.Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if *got.Spec.Replicas != 0 {
			t.Errorf("the other has %d replicas", *got.Spec.Replicas)
		}
	})

	t.Run("a Deployment with broken annotations keeps its replicas, and an event says so", func(t *testing.T) {
		d := create(t, client, map[string]string{v1beta1.AnnotationActive: "true", v1beta1.AnnotationMinReplicas: "few"}, 2)
		eventually.Holds(t, func(ctx context.Context) (any, bool) {
			events, err := client.CoreV1().Events(d.Namespace).List(ctx, metav1.ListOptions{FieldSelector: "reason=BrokenAnnotations,involvedObject.name=" + d.Name})
			if err != nil {
				return err, false
			}
			var said []string
			for _, e := range events.Items {
				said = append(said, e.Message)
			}
			return said, slices.Equal(said, []string{`cannot scale: annotation serin.dev/min-replicas "few": write a whole number of 0 or more`})
		})
		got, err := client.AppsV1().Deployments(d.Namespace).Get(t.Context(), d.Name, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if *got.Spec.Replicas != 2 {
			t.Errorf("%d replicas", *got.Spec.Replicas)
		}
	})

	t.Run("an idle revision stays warm, and what is not noted is not touched", func(t *testing.T) {
		warm := create(t, client, map[string]string{v1beta1.AnnotationActive: "false", v1beta1.AnnotationMinReplicas: "1", v1beta1.AnnotationIdleSince: ago(0)}, 2)
		other := create(t, client, nil, 5)
		last := create(t, client, map[string]string{v1beta1.AnnotationActive: "true", v1beta1.AnnotationMinReplicas: "2"}, 1)
		eventually.Holds(t, func(ctx context.Context) (any, bool) { // by then the others were seen
			got, err := client.AppsV1().Deployments(last.Namespace).Get(ctx, last.Name, metav1.GetOptions{})
			return err, err == nil && *got.Spec.Replicas == 2
		})
		var replicas []int32
		for _, d := range []*appsv1.Deployment{warm, other} {
			got, err := client.AppsV1().Deployments(d.Namespace).Get(t.Context(), d.Name, metav1.GetOptions{})
			if err != nil {
				t.Fatal(err)
			}
			replicas = append(replicas, *got.Spec.Replicas)
		}
		if diff := cmp.Diff([]int32{2, 5}, replicas); diff != "" {
			t.Errorf("replicas (-want +got):\n%s", diff)
		}
	})
}

// holdRequest is a router that holds a request for a revision. It returns the
// address of its admin listener.
func holdRequest(t *testing.T, revision string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		report := report.Line{Revisions: []report.Revision{{Namespace: "default", Name: revision, InFlight: 1, Requests: 1}}}
		again := time.NewTicker(time.Second)
		defer again.Stop()
		for json.NewEncoder(w).Encode(report) == nil && http.NewResponseController(w).Flush() == nil {
			select {
			case <-again.C:
			case <-r.Context().Done():
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// owns says whether the autoscaler is the one who claims spec.replicas.
func owns(d *appsv1.Deployment) bool {
	for _, f := range d.ManagedFields {
		if f.Manager == "serin-autoscaler" {
			return f.FieldsV1.GetRawString() == `{"f:spec":{"f:replicas":{}}}`
		}
	}
	return false
}

func create(t *testing.T, client kubernetes.Interface, annotations map[string]string, replicas int32) *appsv1.Deployment {
	t.Helper()
	return createNamed(t, client, "", annotations, replicas)
}

func createNamed(t *testing.T, client kubernetes.Interface, name string, annotations map[string]string, replicas int32) *appsv1.Deployment {
	t.Helper()
	labels := map[string]string{v1beta1.LabelService: "iris"}
	d, err := client.AppsV1().Deployments("default").Create(t.Context(), &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name, GenerateName: "iris-", Labels: labels, Annotations: annotations},
		Spec: appsv1.DeploymentSpec{
			Replicas: &replicas,
			Selector: &metav1.LabelSelector{MatchLabels: labels},
			Template: corev1.PodTemplateSpec{
				ObjectMeta: metav1.ObjectMeta{Labels: labels},
				Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "web", Image: "web"}}},
			},
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

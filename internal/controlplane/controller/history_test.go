// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/testkit/eventually"
)

// scaleIdle is the autoscaler's part: it takes the replicas of what is idle.
func scaleIdle(ctx context.Context, t *testing.T, namespace string) {
	t.Helper()
	var list appsv1.DeploymentList
	if err := api.List(ctx, &list, client.InNamespace(namespace)); err != nil {
		t.Fatal(err)
	}
	for i := range list.Items {
		if d := &list.Items[i]; d.Annotations[v1beta1.AnnotationActive] == "false" && *d.Spec.Replicas > 0 {
			patch := client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicas":0}}`))
			if err := client.IgnoreNotFound(api.Patch(ctx, d, patch)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// holdPods keeps the Pods of a revision from being gone, as requests do that have
// not ended, until the returned function is called.
func holdPods(t *testing.T, namespace, revision string) (release func()) {
	t.Helper()
	set := func(finalizers string) {
		for _, p := range podsOf(t, namespace) {
			if p.Labels[v1beta1.LabelRevision] == revision {
				patch(t, &p, fmt.Sprintf(`{"metadata":{"finalizers":%s}}`, finalizers))
			}
		}
	}
	set(`["serin.dev/test"]`)
	return func() { set("null") }
}

// isDeployed reports whether a revision of iris has a Deployment.
func isDeployed(ctx context.Context, t *testing.T, namespace, revision string) bool {
	t.Helper()
	err := api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: v1beta1.DeploymentName(revision)}, &appsv1.Deployment{})
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	return !apierrors.IsNotFound(err)
}

func TestADeploymentIsDeletedAfterItsLastPod(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	const first = "iris-predictor-00001"
	for i, m := range []string{"one", "two", "three"} {
		apply(t, ns, model(m, ""))
		wait(t, ns, hasTraffic(fmt.Sprintf("100%% %05d", i+1)))
	}
	release := holdPods(t, ns, first)
	stays := func(when string, c string) {
		t.Helper()
		apply(t, ns, model("three", c)) // a decision
		wait(t, ns, isReady)
		if !isDeployed(t.Context(), t, ns, first) {
			t.Fatalf("the Deployment is deleted %s", when)
		}
	}
	stays("while it is warm", "100")
	scaleIdle(t.Context(), t, ns)
	eventually.Holds(t, func(context.Context) (any, bool) {
		for _, p := range podsOf(t, ns) {
			if p.Labels[v1beta1.LabelRevision] == first && p.DeletionTimestamp == nil {
				return p.Name, false
			}
		}
		return nil, true
	})
	stays("while a Pod finishes its requests", "")
	release()
	eventually.Holds(t, func(ctx context.Context) (any, bool) {
		scaleIdle(ctx, t, ns)
		return first + " has a Deployment", !isDeployed(ctx, t, ns, first)
	})
	var record appsv1.ControllerRevision
	if err := api.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: first}, &record); err != nil {
		t.Error(err)
	}
	if !isDeployed(t.Context(), t, ns, "iris-predictor-00002") {
		t.Error("the previous revision has no Deployment")
	}

	// Wanted again, it starts cold, and gets traffic once it is ready.
	start := node.hold(t, ns, first)
	apply(t, ns, model("one", ""))
	s := wait(t, ns, func(s *v1beta1.InferenceService) bool { return !isReady(s) })
	if got := traffic(s); got != "100% 00003" {
		t.Errorf("traffic while it starts: %s", got)
	}
	eventually.Holds(t, func(ctx context.Context) (any, bool) {
		return first + " has no Deployment", isDeployed(ctx, t, ns, first)
	})
	start()
	wait(t, ns, hasTraffic("100% 00001"))
	want := "The spec is that of revision iris-predictor-00001 again, which starts cold"
	if diff := cmp.Diff(want, events(t, ns, 3)["RevisionReused"]); diff != "" {
		t.Errorf("RevisionReused (-want +got):\n%s", diff)
	}
}

// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/render"
	"github.com/serin-dev/serin/internal/controlplane/scale"
	"github.com/serin-dev/serin/internal/testkit/eventually"
)

// revisionService is the Service that earlier versions made for each revision.
func revisionService(s *v1beta1.InferenceService, revision string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: s.Namespace, Name: revision,
			Labels: map[string]string{
				v1beta1.LabelApp: revision, v1beta1.LabelRevision: revision,
				v1beta1.LabelService: s.Name, v1beta1.LabelComponent: string(v1beta1.Predictor),
			},
			OwnerReferences: []metav1.OwnerReference{*metav1.NewControllerRef(s, v1beta1.Kind)},
		},
		Spec: corev1.ServiceSpec{
			Selector: map[string]string{v1beta1.LabelRevision: revision},
			Ports:    []corev1.ServicePort{{Name: "http", Port: 80}},
		},
	}
}

// idleDeployment is that of a revision whose record is given, as earlier versions
// kept it.
func idleDeployment(t *testing.T, s *v1beta1.InferenceService, revision string) *appsv1.Deployment {
	t.Helper()
	var record appsv1.ControllerRevision
	if err := api.Get(t.Context(), client.ObjectKey{Namespace: s.Namespace, Name: revision}, &record); err != nil {
		t.Fatal(err)
	}
	template, err := render.ReadTemplate(&record)
	if err != nil {
		t.Fatal(err)
	}
	ac := render.Objects(s, render.Revision{
		Name: revision, Number: int(record.Revision), Template: template,
		Scale: scale.Demand{Min: 1, IdleSince: s.CreationTimestamp.Time},
	}).Deployment
	d := &appsv1.Deployment{}
	b, err := json.Marshal(ac)
	if err == nil {
		err = json.Unmarshal(b, d)
	}
	if err != nil {
		t.Fatal(err)
	}
	d.Spec.Replicas = new(int32)
	return d
}

// After an upgrade, the Deployments of history and the Services of revisions go. No
// Pod, no status and nothing else is touched.
func TestHistoryOfEarlierVersionsIsCleanedUp(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	for i := 1; i <= 12; i++ {
		apply(t, ns, model(fmt.Sprintf("m%d", i), ""))
		wait(t, ns, hasTraffic(fmt.Sprintf("100%% %05d", i)))
	}
	eventually.Holds(t, func(ctx context.Context) (any, bool) {
		scaleIdle(ctx, t, ns)
		left := ownedObjects(ctx, t, ns)
		return left, len(left) == 10+2+1 // records, Deployments, a Pod
	})
	s := wait(t, ns, isReady)
	pods, before := podNames(t, ns), writes.now()

	exposed := revisionService(s, "iris-predictor-00003")
	exposed.Name, exposed.OwnerReferences = "exposed", nil // a user did kubectl expose
	old := []client.Object{exposed}
	var want []string
	for i := 3; i <= 12; i++ {
		revision := fmt.Sprintf("iris-predictor-%05d", i)
		old = append(old, revisionService(s, revision))
		want = append(want, "DELETE services/"+revision)
		if i < 11 {
			old = append(old, idleDeployment(t, s, revision))
			want = append(want, "DELETE deployments/"+v1beta1.DeploymentName(revision))
		}
	}
	for _, o := range old {
		if err := api.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(want)
	eventually.Holds(t, func(ctx context.Context) (any, bool) {
		got := slices.Sorted(slices.Values(writes.since(before, ns)))
		left := ownedObjects(ctx, t, ns)
		return fmt.Sprint(cmp.Diff(want, got), left), len(left) == 10+2+1+1 && cmp.Equal(want, got)
	})
	if err := api.Get(t.Context(), client.ObjectKeyFromObject(exposed), exposed); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(pods, podNames(t, ns)); diff != "" {
		t.Errorf("Pods (-before +after):\n%s", diff)
	}
}

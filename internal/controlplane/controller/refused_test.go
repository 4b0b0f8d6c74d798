// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/testkit/eventually"
)

const mountOfNothing = `
canaryTrafficPercent: %c
model: {modelFormat: {name: sklearn}, storageUri: 'gs://b/two', volumeMounts: [{name: missing, mountPath: /data}]}
`

func TestARefusedEditCostsNoTrafficAndIsTold(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	apply(t, ns, model("one", ""))
	wait(t, ns, isReady)
	apply(t, ns, model("two", "50"))
	wait(t, ns, hasTraffic("50% 00002, 50% 00001"))

	before := writes.now()
	apply(t, ns, strings.ReplaceAll(mountOfNothing, "%c", "50"))
	s := wait(t, ns, isRefused(`spec.template.spec.containers[0].volumeMounts[0].name: Not found: "missing"`))
	if got := traffic(s); got != "50% 00002, 50% 00001" {
		t.Errorf("traffic: %s", got)
	}
	if diff := cmp.Diff([]string{"PATCH inferenceservices/iris/status"}, writes.since(before, ns)); diff != "" {
		t.Errorf("writes (-want +got):\n%s", diff)
	}
	// Traffic can be taken from the canary all the same, and given back.
	apply(t, ns, strings.ReplaceAll(mountOfNothing, "%c", "0"))
	wait(t, ns, hasTraffic("0% 00002, 100% 00001"))
	apply(t, ns, model("two", "50"))
	wait(t, ns, isReady)
	wait(t, ns, hasTraffic("50% 00002, 50% 00001"))
}

func isRefused(sentence string) func(*v1beta1.InferenceService) bool {
	return func(s *v1beta1.InferenceService) bool {
		c := condition(s, v1beta1.ConditionReady)
		return c.Status == metav1.ConditionFalse && strings.Contains(c.Message, sentence) &&
			s.Status.ModelStatus.TransitionStatus == v1beta1.InvalidSpec
	}
}

func TestAQuotaThatRefusesADeploymentIsTold(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	apply(t, ns, model("one", ""))
	wait(t, ns, isReady)
	quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "small"}}
	quota.Spec.Hard = corev1.ResourceList{"count/deployments.apps": quantity("1")}
	if err := api.Create(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	quota.Status = corev1.ResourceQuotaStatus{Hard: quota.Spec.Hard, Used: quota.Spec.Hard} // no controller counts here
	if err := api.Status().Update(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	apply(t, ns, model("two", "10"))
	s := wait(t, ns, isRefused("exceeded quota: small"))
	if got := traffic(s); got != "100% 00001" {
		t.Errorf("traffic: %s", got)
	}
	if err := api.Delete(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	apply(t, ns, model("two", "20")) // a change is tried at once
	wait(t, ns, hasTraffic("20% 00002, 80% 00001"))
}

func TestWhatADeletedServiceLeftBehindIsAdopted(t *testing.T) {
	t.Parallel()
	ns := newNamespace(t)
	apply(t, ns, model("one", ""))
	wait(t, ns, isReady)
	apply(t, ns, model("two", ""))
	first := wait(t, ns, hasTraffic("100% 00002"))
	// The new service knows no revision before 00002, so 00001 is history, and may go cold.
	serving := func() []string {
		return slices.DeleteFunc(podNames(t, ns), func(name string) bool { return !strings.Contains(name, "-00002-") })
	}
	pods := serving()
	awaitCollector(t, ns)
	if err := api.Delete(t.Context(), first, client.PropagationPolicy(metav1.DeletePropagationOrphan)); err != nil {
		t.Fatal(err)
	}
	awaitGone(t, first)
	apply(t, ns, model("two", ""))
	second := wait(t, ns, hasTraffic("100% 00002"))
	if diff := cmp.Diff(pods, serving()); diff != "" {
		t.Errorf("Pods (-before +after):\n%s", diff)
	}
	eventually.Holds(t, func(ctx context.Context) (any, bool) {
		var records appsv1.ControllerRevisionList
		var deployments appsv1.DeploymentList
		if err := api.List(ctx, &records, client.InNamespace(ns)); err != nil {
			return err, false
		}
		if err := api.List(ctx, &deployments, client.InNamespace(ns)); err != nil {
			return err, false
		}
		for i := range records.Items {
			if !metav1.IsControlledBy(&records.Items[i], second) {
				return records.Items[i].Name, false
			}
		}
		for i := range deployments.Items {
			if !metav1.IsControlledBy(&deployments.Items[i], second) {
				return deployments.Items[i].Name, false
			}
		}
		return len(deployments.Items), len(records.Items) == 2 && len(deployments.Items) > 0
	})
}

// awaitCollector waits until Kubernetes' garbage collector knows all Deployments and
// records there are. It deletes with their owner, and does not orphan, those that it
// has not seen yet. It sees the objects of a kind in their order, so it knows the
// others once it has deleted one that is made last, without an owner that exists.
func awaitCollector(t *testing.T, namespace string) {
	t.Helper()
	meta := metav1.ObjectMeta{Namespace: namespace, Name: "last", OwnerReferences: []metav1.OwnerReference{{
		APIVersion: "v1", Kind: "ConfigMap", Name: "gone", UID: "gone",
	}}}
	labels := map[string]string{"made": "last"}
	deployment := &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{
		Replicas: new(int32), Selector: &metav1.LabelSelector{MatchLabels: labels},
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: labels},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}},
		},
	}}
	record := &appsv1.ControllerRevision{ObjectMeta: meta, Revision: 1, Data: runtime.RawExtension{Raw: []byte("{}")}}
	for _, o := range []client.Object{deployment, record} {
		if err := api.Create(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		awaitGone(t, o)
	}
}

func awaitGone(t *testing.T, o client.Object) {
	t.Helper()
	eventually.Holds(t, func(ctx context.Context) (any, bool) {
		err := api.Get(ctx, client.ObjectKeyFromObject(o), o)
		return err, apierrors.IsNotFound(err)
	})
}

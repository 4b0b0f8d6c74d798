// SPDX-License-Identifier: Apache-2.0

package packed

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/serin-dev/serin/api/v1beta1"
)

// A packed object shows what indexes and watches look at, and comes back whole,
// however unlike the first of its kind.
func TestPackedObjectsComeBackWhole(t *testing.T) {
	meta := metav1.ObjectMeta{
		Namespace: "team", Name: "iris", UID: "1-2-3", ResourceVersion: "7", Generation: 3,
		CreationTimestamp: metav1.Unix(1e9, 0),
		Labels:            map[string]string{v1beta1.LabelService: "iris", v1beta1.LabelRevision: "iris-predictor-00001"},
		Annotations:       map[string]string{"note": strings.Repeat("long ", 1000)},
		OwnerReferences:   []metav1.OwnerReference{{Kind: "InferenceService", Name: "iris", UID: "0", Controller: new(true)}},
	}
	other := metav1.ObjectMeta{Namespace: "x", Name: "y", UID: "4"}
	t.Run("InferenceService", func(t *testing.T) {
		comesBack(t, &v1beta1.InferenceService{ObjectMeta: other}, &v1beta1.InferenceService{
			ObjectMeta: meta,
			Spec:       v1beta1.InferenceServiceSpec{Predictor: v1beta1.PredictorSpec{ComponentExtension: v1beta1.ComponentExtension{CanaryTrafficPercent: new(int64(20))}}},
		})
	})
	t.Run("ControllerRevision", func(t *testing.T) {
		comesBack(t, &appsv1.ControllerRevision{ObjectMeta: other}, &appsv1.ControllerRevision{
			ObjectMeta: meta, Revision: 4, Data: runtime.RawExtension{Raw: []byte(`{"hash":"h"}`)},
		})
	})
	t.Run("Deployment", func(t *testing.T) {
		comesBack(t, &appsv1.Deployment{ObjectMeta: other}, &appsv1.Deployment{
			ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{NodeName: "here"}}},
		})
	})
	t.Run("Service", func(t *testing.T) {
		comesBack(t, &corev1.Service{ObjectMeta: other}, &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{ExternalName: "router"}})
	})
}

func TestPackedPodKeepsItsStatus(t *testing.T) {
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "iris"}, Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.0.0.1"}}
	long := pod
	long.Spec.NodeName = "here"
	if _, got := packAfter(t, &pod, &long); !cmp.Equal(&pod, got) {
		t.Error(cmp.Diff(&pod, got))
	}
}

func comesBack[T any, P interface {
	*T
	Object
}](t *testing.T, first, o P) {
	t.Helper()
	want := o.DeepCopyObject()
	held, got := packAfter[T](t, first, o)
	if held.GetName() != "iris" || held.GetUID() != "1-2-3" || held.GetResourceVersion() != "7" ||
		held.GetLabels()[v1beta1.LabelService] != "iris" || !metav1.IsControlledBy(held, &metav1.ObjectMeta{UID: "0"}) {
		t.Errorf("held as %+v", held)
	}
	if diff := cmp.Diff(want, runtime.Object(got)); diff != "" {
		t.Error(diff)
	}
}

// packAfter packs an object after another of its kind, and returns the packed
// object and what is read of it.
func packAfter[T any, P interface {
	*T
	Object
}](t *testing.T, first, o P) (held Object, read P) {
	t.Helper()
	c, read := &Cache{}, P(new(T))
	var p any = o
	for _, in := range []*any{new(any(first)), &p, &p} { // informers pack some objects twice
		out, err := c.Transform(*in)
		if err != nil {
			t.Fatal(err)
		}
		*in = out
	}
	if err := c.Unpack(p, read); err != nil {
		t.Fatal(err)
	}
	return p.(Object), read
}

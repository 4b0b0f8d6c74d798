// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controller"
)

// What lies on a shelf shows what indexes and watches look at, and gives back
// the whole object, however unlike the first of its kind.
func TestShelvedObjectsComeBackWhole(t *testing.T) {
	meta := metav1.ObjectMeta{
		Namespace: "team", Name: "iris", UID: "1-2-3", ResourceVersion: "7", Generation: 3,
		CreationTimestamp: metav1.Unix(1e9, 0),
		Labels:            map[string]string{v1beta1.LabelService: "iris", v1beta1.LabelRevision: "iris-predictor-00001"},
		Annotations:       map[string]string{"note": strings.Repeat("long ", 1000)},
		OwnerReferences:   []metav1.OwnerReference{{Kind: "InferenceService", Name: "iris", UID: "0", Controller: new(true)}},
	}
	other := metav1.ObjectMeta{Namespace: "x", Name: "y", UID: "4"}
	for kind, shelve := range map[string]func() (want, held, read client.Object, err error){
		"InferenceService": shelved(&v1beta1.InferenceService{ObjectMeta: other}, &v1beta1.InferenceService{
			ObjectMeta: meta,
			Spec:       v1beta1.InferenceServiceSpec{Predictor: v1beta1.PredictorSpec{ComponentExtension: v1beta1.ComponentExtension{CanaryTrafficPercent: new(int64(20))}}},
		}),
		"ControllerRevision": shelved(&appsv1.ControllerRevision{ObjectMeta: other}, &appsv1.ControllerRevision{
			ObjectMeta: meta, Revision: 4, Data: runtime.RawExtension{Raw: []byte(`{"hash":"h"}`)},
		}),
		"Deployment": shelved(&appsv1.Deployment{ObjectMeta: other}, &appsv1.Deployment{
			ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Template: corev1.PodTemplateSpec{Spec: corev1.PodSpec{NodeName: "here"}}},
		}),
		"Service": shelved(&corev1.Service{ObjectMeta: other}, &corev1.Service{ObjectMeta: meta, Spec: corev1.ServiceSpec{ExternalName: "router"}}),
	} {
		t.Run(kind, func(t *testing.T) {
			want, held, read, err := shelve()
			if err != nil {
				t.Fatal(err)
			}
			if held.GetName() != "iris" || held.GetUID() != "1-2-3" || held.GetResourceVersion() != "7" ||
				held.GetLabels()[v1beta1.LabelService] != "iris" || !metav1.IsControlledBy(held, &metav1.ObjectMeta{UID: "0"}) {
				t.Errorf("held as %+v", held)
			}
			if diff := cmp.Diff(want, read); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// A service of which the spec cannot be read is there all the same, with its
// status, and with the reason.
func TestAServiceThatCannotBeReadSaysWhy(t *testing.T) {
	for name, tc := range map[string]struct{ predictor, want string }{
		"all well":                {`{"minReplicas": 2}`, ""},
		"a word for a number":     {`{"minReplicas": "many"}`, "spec.predictor.minReplicas cannot be a string: it is int32"},
		"deep in a legacy form":   {`{"sklearn": {"env": [{"name": "X", "value": 1}]}}`, "spec.predictor.sklearn.env.value cannot be a number: it is string"},
		"a quantity that is none": {`{"model": {"resources": {"limits": {"memory": "1e1.5"}}}}`, "it cannot be read: quantities must match"},
	} {
		t.Run(name, func(t *testing.T) {
			u := &unstructured.Unstructured{}
			if err := u.UnmarshalJSON([]byte(`{"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
				"metadata": {"namespace": "team", "name": "iris", "uid": "1-2-3", "resourceVersion": "7"},
				"spec": {"predictor": ` + tc.predictor + `}, "status": {"url": "http://iris"}}`)); err != nil {
				t.Fatal(err)
			}
			service, invalid, err := controller.ReadService(u)
			if err != nil {
				t.Fatal(err)
			}
			if service.Name != "iris" || service.UID != "1-2-3" || service.ResourceVersion != "7" || service.Status.URL != "http://iris" {
				t.Errorf("read %+v", service)
			}
			got := ""
			if invalid != nil {
				got = invalid.Message
			}
			if (got == "") != (tc.want == "") || !strings.HasPrefix(got, tc.want) {
				t.Errorf("says %q, want %q", got, tc.want)
			}
		})
	}
}

func TestOfAShelvedPodItsStatusRemains(t *testing.T) {
	pod := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "iris"}, Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.0.0.1"}}
	long := pod
	long.Spec.NodeName = "here"
	want, _, read, err := shelved(&pod, &long)()
	want.(*corev1.Pod).Spec = corev1.PodSpec{}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, read); diff != "" {
		t.Error(diff)
	}
}

func shelved[T any, P interface {
	*T
	client.Object
}](first, o P) func() (want, held, read client.Object, err error) {
	return func() (want, held, read client.Object, err error) {
		want = o.DeepCopyObject().(client.Object)
		held, read, err = controller.Shelve[T](first, o)
		return want, held, read, err
	}
}

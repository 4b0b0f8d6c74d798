// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"
	clientgotesting "k8s.io/client-go/testing"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/action"
	"github.com/serin-dev/serin/internal/controlplane/render"
)

const sklearn = `{"model":{"modelFormat":{"name":"sklearn"},"storageUri":"gs://b/MODEL"}}`

// canaryObjects are a service whose second revision has 10% of the traffic.
func canaryObjects(t *testing.T) (*unstructured.Unstructured, []runtime.Object) {
	t.Helper()
	isvc := &v1beta1.InferenceService{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "iris", UID: "uid", Generation: 3, ResourceVersion: "7"}}
	isvc.SetGroupVersionKind(v1beta1.Kind)
	if err := json.Unmarshal([]byte(strings.Replace(sklearn, "MODEL", "m2", 1)), &isvc.Spec.Predictor); err != nil {
		t.Fatal(err)
	}
	ten, ninety := int64(10), int64(90)
	isvc.Spec.Predictor.CanaryTrafficPercent = &ten
	isvc.Status.ObservedGeneration = 3
	isvc.Status.Components = map[v1beta1.Component]v1beta1.ComponentStatus{v1beta1.Predictor: {
		LatestRolledoutRevision: "iris-predictor-00001",
		Traffic: []v1beta1.TrafficTarget{
			{RevisionName: "iris-predictor-00002", Percent: &ten}, {RevisionName: "iris-predictor-00001", Percent: &ninety},
		},
	}}
	var objects []runtime.Object
	for i, model := range []string{"m1", "m2"} {
		var p v1beta1.PredictorSpec
		if err := json.Unmarshal([]byte(strings.Replace(sklearn, "MODEL", model, 1)), &p); err != nil {
			t.Fatal(err)
		}
		raw, err := json.Marshal(render.Template{Hash: render.Hash(&p), Model: render.Model(&p), Spec: &p})
		if err != nil {
			t.Fatal(err)
		}
		cr := &appsv1.ControllerRevision{Revision: int64(i + 1), Data: runtime.RawExtension{Raw: raw}}
		cr.Namespace, cr.Name = "ns", v1beta1.Predictor.RevisionName("iris", i+1)
		cr.Labels = map[string]string{v1beta1.LabelService: "iris", v1beta1.LabelRevision: cr.Name}
		cr.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(isvc, v1beta1.Kind)}
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: cr.Name, Labels: cr.Labels}}
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		objects = append(objects, cr, pod)
	}
	raw, err := runtime.DefaultUnstructuredConverter.ToUnstructured(isvc)
	if err != nil {
		t.Fatal(err)
	}
	return &unstructured.Unstructured{Object: raw}, objects
}

// fakeAPI holds objects, and the service as it is at any time.
func fakeAPI(t *testing.T, isvc *unstructured.Unstructured, objects []runtime.Object) *fake.FakeDynamicClient {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1beta1.AddToScheme, appsv1.AddToScheme, corev1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	client := fake.NewSimpleDynamicClientWithCustomListKinds(scheme,
		map[schema.GroupVersionResource]string{v1beta1.Resource: "InferenceServiceList"}, objects...)
	client.PrependReactor("get", v1beta1.Resource.Resource, func(clientgotesting.Action) (bool, runtime.Object, error) {
		return true, isvc.DeepCopy(), nil
	})
	return client
}

// promotion is `rollout promote iris` against an API in which, each time that
// it patches, meanwhile is called first.
func promotion(t *testing.T, meanwhile func(attempt int, isvc *unstructured.Unstructured)) (*act, *[]string) {
	t.Helper()
	isvc, objects := canaryObjects(t)
	client := fakeAPI(t, isvc, objects)
	var patches []string
	client.PrependReactor("patch", v1beta1.Resource.Resource, func(a clientgotesting.Action) (bool, runtime.Object, error) {
		patch := a.(clientgotesting.PatchAction).GetPatch()
		patches = append(patches, string(patch))
		meanwhile(len(patches), isvc)
		var p metav1.PartialObjectMetadata
		if err := json.Unmarshal(patch, &p); err != nil {
			return true, nil, err
		}
		if p.ResourceVersion != isvc.GetResourceVersion() {
			return true, nil, apierrors.NewConflict(v1beta1.Resource.GroupResource(), "iris", nil)
		}
		return true, isvc.DeepCopy(), nil
	})
	return &act{
		service: &service{&cluster{client: client, namespace: "ns", routers: "serin-system"}, "iris"},
		weighs:  true,
		decide:  func(r *action.Rollout, e action.Evidence) (action.Change, error) { return r.Promote(e) },
		dryRun:  dryRunNone,
		in:      strings.NewReader(""), out: &bytes.Buffer{}, errOut: &bytes.Buffer{},
	}, &patches
}

const promoted = `{"metadata":{"resourceVersion":"RV"},"spec":{"predictor":{"canaryTrafficPercent":null}}}`

func TestAStatusThatMovesIsNoConflict(t *testing.T) {
	a, patches := promotion(t, func(attempt int, isvc *unstructured.Unstructured) {
		if attempt == 1 {
			isvc.SetResourceVersion("8")
		}
	})
	if err := a.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{strings.Replace(promoted, "RV", "7", 1), strings.Replace(promoted, "RV", "8", 1)}
	if diff := cmp.Diff(want, *patches); diff != "" {
		t.Errorf("patches (-want +got):\n%s", diff)
	}
	if got := a.out.(*bytes.Buffer).String(); got != "iris: 10% -> 100%: iris-predictor-00002 takes all the traffic at once\n" {
		t.Errorf("said %q", got)
	}
	const warning = "Warning: no router reports how iris-predictor-00002 has answered: no router found: namespace serin-system has no ready Pod"
	if got := a.errOut.(*bytes.Buffer).String(); strings.Count(got, warning) != 1 {
		t.Errorf("warned %q, want once %q", got, warning)
	}
}

func TestASpecThatChangedIsNotOverwritten(t *testing.T) {
	a, patches := promotion(t, func(_ int, isvc *unstructured.Unstructured) {
		isvc.SetResourceVersion("8")
		isvc.SetGeneration(4)
		if err := unstructured.SetNestedField(isvc.Object, int64(4), "status", "observedGeneration"); err != nil {
			t.Error(err)
		}
	})
	err := a.run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "iris has been changed by someone else meanwhile: nothing was written") {
		t.Errorf("promoted over another change: %v", err)
	}
	if len(*patches) != 1 {
		t.Errorf("patched %d times", len(*patches))
	}
}

func TestWarningsNeedAPersonOrYes(t *testing.T) {
	for name, yes := range map[string]bool{"nobody to ask": false, "--yes": true} {
		t.Run(name, func(t *testing.T) {
			a, patches := promotion(t, func(int, *unstructured.Unstructured) {})
			a.yes = yes
			inner := a.decide
			a.decide = func(r *action.Rollout, _ action.Evidence) (action.Change, error) {
				return inner(r, action.Evidence{Known: true, Requests: 100, Errors: 1})
			}
			err := a.run(t.Context())
			if yes != (err == nil) || yes != (len(*patches) == 1) {
				t.Errorf("%d patches, %v", len(*patches), err)
			}
			if !yes && !strings.Contains(err.Error(), "1 of 100 requests with an error (5xx).\nNothing was written: use --yes") {
				t.Errorf("refused with %v", err)
			}
		})
	}
}

func TestServiceName(t *testing.T) {
	for arg, want := range map[string]string{
		"iris": "iris", "isvc/iris": "iris", "InferenceService/iris": "iris", "inferenceservices.serving.kserve.io/iris": "iris", "pod/iris": "",
	} {
		if got, err := serviceName(arg); got != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v", arg, got, err)
		}
	}
}

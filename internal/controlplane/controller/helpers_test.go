// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"fmt"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/testkit/eventually"
)

// newNamespace makes a namespace for one test. It waits for the account that
// Pods run as, without which the first Pods would be refused for a while.
func newNamespace(t *testing.T) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}
	if err := api.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	eventually.Holds(t, func(ctx context.Context) (any, bool) {
		err := api.Get(ctx, client.ObjectKey{Namespace: ns.Name, Name: "default"}, &corev1.ServiceAccount{})
		return err, err == nil
	})
	return ns.Name
}

// apply does what kubectl apply does with `iris`, given its predictor as YAML.
func apply(t *testing.T, namespace, predictor string) {
	t.Helper()
	s := &v1beta1.InferenceService{}
	s.Namespace, s.Name = namespace, "iris"
	var spec v1beta1.PredictorSpec
	if err := yaml.UnmarshalStrict([]byte(predictor), &spec); err != nil {
		t.Fatal(err)
	}
	err := api.Get(t.Context(), client.ObjectKeyFromObject(s), s)
	for range 10 { // the status may be written between reading and writing
		s.Spec.Predictor = spec
		switch {
		case err != nil:
			err = api.Create(t.Context(), s)
		default:
			err = api.Update(t.Context(), s)
		}
		if err == nil {
			return
		}
		if getErr := api.Get(t.Context(), client.ObjectKeyFromObject(s), s); getErr != nil {
			t.Fatal(err, getErr)
		}
		err = nil
	}
	t.Fatal("apply keeps conflicting")
}

func model(name string, canary string) string {
	out := fmt.Sprintf("model: {modelFormat: {name: sklearn}, storageUri: 'gs://b/%s'}\n", name)
	if canary != "" {
		out += "canaryTrafficPercent: " + canary + "\n"
	}
	return out
}

func get(ctx context.Context, namespace string) (*v1beta1.InferenceService, error) {
	s := &v1beta1.InferenceService{}
	err := api.Get(ctx, client.ObjectKey{Namespace: namespace, Name: "iris"}, s)
	return s, err
}

// wait waits until the status speaks of the current spec and is as wanted.
func wait(t *testing.T, namespace string, wanted func(*v1beta1.InferenceService) bool) *v1beta1.InferenceService {
	t.Helper()
	var s *v1beta1.InferenceService
	eventually.Holds(t, func(ctx context.Context) (any, bool) {
		var err error
		if s, err = get(ctx, namespace); err != nil {
			return err, false
		}
		y, err := yaml.Marshal(s.Status)
		if err != nil {
			return err, false
		}
		return string(y), s.Status.ObservedGeneration == s.Generation && wanted(s)
	})
	return s
}

func quantity(s string) resource.Quantity { return resource.MustParse(s) }

func isReady(s *v1beta1.InferenceService) bool {
	return condition(s, v1beta1.ConditionReady).Status == metav1.ConditionTrue
}

func condition(s *v1beta1.InferenceService, kind string) v1beta1.Condition {
	for _, c := range s.Status.Conditions {
		if c.Type == kind {
			return c
		}
	}
	return v1beta1.Condition{}
}

// traffic reads like "10% 00002, 90% 00001".
func traffic(s *v1beta1.InferenceService) string {
	var out string
	for i, t := range s.Status.Components[v1beta1.Predictor].Traffic {
		if i > 0 {
			out += ", "
		}
		out += fmt.Sprintf("%d%% %s", *t.Percent, t.RevisionName[len("iris-predictor-"):])
	}
	return out
}

func hasTraffic(want string) func(*v1beta1.InferenceService) bool {
	return func(s *v1beta1.InferenceService) bool { return traffic(s) == want }
}

// patch merges a patch into an object, of which the name is enough.
func patch(t *testing.T, o client.Object, patch string) {
	t.Helper()
	if err := api.Patch(t.Context(), o, client.RawPatch(types.MergePatchType, []byte(patch))); err != nil {
		t.Fatal(err)
	}
}

// annotate sets an annotation of the service to a value in JSON: null removes it.
func annotate(t *testing.T, namespace, key, value string) {
	t.Helper()
	s := &v1beta1.InferenceService{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "iris"}}
	patch(t, s, fmt.Sprintf(`{"metadata":{"annotations":{%q:%s}}}`, key, value))
}

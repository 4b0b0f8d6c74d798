// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/serin-dev/serin/internal/controlplane/controller"
)

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

// A runtime reconciles the services that it could make valid, and no others: of
// those that there are by the thousand, none is unpacked.
func TestRuntimeReconcilesInvalidServices(t *testing.T) {
	var services []*unstructured.Unstructured
	for name, status := range map[string]string{
		"a/invalid": `{"modelStatus": {"transitionStatus": "InvalidSpec"}}`,
		"a/well":    `{"modelStatus": {"transitionStatus": "UpToDate"}}`,
		"a/new":     `{}`,
		"a/hostile": `{"modelStatus": [{"transitionStatus": "InvalidSpec"}]}`,
		"b/invalid": `{"modelStatus": {"transitionStatus": "InvalidSpec"}}`,
	} {
		namespace, name, _ := strings.Cut(name, "/")
		u := &unstructured.Unstructured{}
		if err := u.UnmarshalJSON(fmt.Appendf(nil, `{"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
			"metadata": {"namespace": %q, "name": %q}, "spec": {"predictor": {}}, "status": %s}`, namespace, name, status)); err != nil {
			t.Fatal(err)
		}
		services = append(services, u)
	}
	for namespace, want := range map[string][]string{"a": {"a/invalid"}, "b": {"b/invalid"}, "c": nil, "": {"a/invalid", "b/invalid"}} {
		var got []string
		for _, request := range controller.InvalidServices(t, namespace, services...) {
			got = append(got, request.String())
		}
		slices.Sort(got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("a runtime of namespace %q: %s", namespace, diff)
		}
	}
}

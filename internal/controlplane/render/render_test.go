// SPDX-License-Identifier: Apache-2.0

package render

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/rogpeppe/go-internal/txtar"
	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/v1alpha1"
	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/scale"
	"github.com/serin-dev/serin/internal/testkit/golden"
)

// TestGolden renders each testdata/*.txtar: in.yaml is the service,
// runtimes.yaml what is installed (the shipped runtimes when absent),
// out.yaml the objects of revision 1, or the reason why there are none.
func TestGolden(t *testing.T) {
	golden.Archives(t, func(t *testing.T, a *txtar.Archive) {
		t.Helper()
		setFile(a, "out.yaml", rendered(t, a))
	})
}

func rendered(t *testing.T, ar *txtar.Archive) string {
	t.Helper()
	isvc := decode[v1beta1.InferenceService](t, getFile(ar, "in.yaml"))
	isvc.UID = "5e71"
	if isvc.Namespace == "" {
		isvc.Namespace = "kserve-test"
	}
	runtimes, cluster := installed(t, getFile(ar, "runtimes.yaml"))
	options := Options{FetchImage: "serin/fetch:test", QueueImage: "serin/queue:test"}
	if o := getFile(ar, "options.yaml"); o != nil {
		if err := yaml.UnmarshalStrict(o, &options); err != nil {
			t.Fatalf("options.yaml: %v", err)
		}
	}
	tmpl, err := Resolve(isvc, runtimes, cluster, options)
	if err != nil {
		var invalid *Invalid
		if !errors.As(err, &invalid) {
			t.Fatalf("Resolve returned %T (%v), want *Invalid", err, err)
		}
		return fmt.Sprintf("%s: %s\n", invalid.Reason, invalid.Message)
	}
	return revisionYAML(t, isvc, tmpl)
}

// revisionYAML is the objects of revision 1. The ControllerRevision repeats
// the Deployment's Pod template; the copy is checked and left out.
func revisionYAML(t *testing.T, isvc *v1beta1.InferenceService, tmpl *Template) string {
	t.Helper()
	objects := Objects(isvc, Revision{
		Name: v1beta1.Predictor.RevisionName(isvc.Name, 1), Number: 1, Template: tmpl, Scale: scale.Demand{Active: true, Min: 1},
	})
	var out strings.Builder
	for i, o := range []any{objects.Record, objects.Deployment} {
		b, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var tree map[string]any
		if err := json.Unmarshal(b, &tree); err != nil {
			t.Fatal(err)
		}
		if data, ok := tree["data"].(map[string]any); ok {
			data["pod"] = "(as below)"
		}
		y, err := yaml.Marshal(tree)
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 {
			out.WriteString("---\n")
		}
		out.Write(y)
	}
	return out.String()
}

// installed splits runtimes.yaml by kind.
func installed(t *testing.T, data []byte) (runtimes []v1alpha1.ServingRuntime, cluster []v1alpha1.ClusterServingRuntime) {
	t.Helper()
	if data == nil {
		var err error
		if data, err = Runtimes.ReadFile("runtimes/kserve-sklearnserver.yaml"); err != nil {
			t.Fatal(err)
		}
	}
	for doc := range bytes.SplitSeq(data, []byte("---\n")) {
		switch kind := decode[metav1.PartialObjectMetadata](t, doc).Kind; kind {
		case "ServingRuntime":
			runtimes = append(runtimes, *decodeStrict[v1alpha1.ServingRuntime](t, doc))
		case "ClusterServingRuntime":
			cluster = append(cluster, *decodeStrict[v1alpha1.ClusterServingRuntime](t, doc))
		case "":
		default:
			t.Fatalf("runtimes.yaml holds a %s", kind)
		}
	}
	return runtimes, cluster
}

func decode[T any](t *testing.T, doc []byte) *T {
	t.Helper()
	out := new(T)
	if err := yaml.Unmarshal(doc, out); err != nil {
		t.Fatalf("decode %T: %v\n%s", out, err, doc)
	}
	return out
}

func decodeStrict[T any](t *testing.T, doc []byte) *T {
	t.Helper()
	out := new(T)
	if err := yaml.UnmarshalStrict(doc, out); err != nil {
		t.Fatalf("decode %T: %v\n%s", out, err, doc)
	}
	return out
}

func getFile(ar *txtar.Archive, name string) []byte {
	for _, f := range ar.Files {
		if f.Name == name {
			return f.Data
		}
	}
	return nil
}

func setFile(ar *txtar.Archive, name, data string) {
	for i := range ar.Files {
		if ar.Files[i].Name == name {
			ar.Files[i].Data = []byte(data)
			return
		}
	}
	ar.Files = append(ar.Files, txtar.File{Name: name, Data: []byte(data)})
}

func TestReadTemplateReturnsWhatWasStored(t *testing.T) {
	isvc := decode[v1beta1.InferenceService](t, []byte(iris))
	runtimes, cluster := installed(t, nil)
	want, err := Resolve(isvc, runtimes, cluster, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := ReadTemplate(stored(t, isvc, want))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("the template changed on its way (-want +got):\n%s", diff)
	}
	again := stored(t, isvc, got)
	if diff := cmp.Diff(stored(t, isvc, want), again); diff != "" {
		t.Errorf("stored again, the ControllerRevision differs (-want +got):\n%s", diff)
	}
}

// stored is the ControllerRevision as an API server would return it.
func stored(t *testing.T, isvc *v1beta1.InferenceService, tmpl *Template) *appsv1.ControllerRevision {
	t.Helper()
	b, err := json.Marshal(Objects(isvc, Revision{Name: "r", Number: 1, Template: tmpl}).Record)
	if err != nil {
		t.Fatal(err)
	}
	return decode[appsv1.ControllerRevision](t, b)
}

const iris = `
apiVersion: serving.kserve.io/v1beta1
kind: InferenceService
metadata:
  name: sklearn-iris
  namespace: kserve-test
spec:
  predictor:
    model:
      args: ["--enable_docs_url=True"]
      modelFormat:
        name: sklearn
      resources: {}
      runtime: kserve-sklearnserver
      storageUri: "gs://kfserving-examples/models/sklearn/1.0/model"
`

// SPDX-License-Identifier: Apache-2.0

package render

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/scale"
)

func TestTheDeploymentHoldsTheDemand(t *testing.T) {
	demand := scale.Demand{Min: 2, Max: 5, IdleSince: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC), Tuning: map[string]string{}}
	d := convert[appsv1.Deployment](t, Objects(&v1beta1.InferenceService{}, Revision{Name: "r", Template: &Template{}, Scale: demand}).Deployment)
	got, err := scale.ParseDemand(d.Annotations)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(demand, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if d.Spec.Template.Annotations != nil {
		t.Errorf("the Pods would restart with every change of %v", d.Spec.Template.Annotations)
	}
}

func TestReplicasAreLeftToTheAutoscaler(t *testing.T) {
	d := convert[appsv1.Deployment](t, Objects(&v1beta1.InferenceService{}, Revision{Name: "r", Template: &Template{}}).Deployment)
	if d.Spec.Replicas != nil {
		t.Errorf("spec.replicas is %d, want none", *d.Spec.Replicas)
	}
}

// TestAStoredRevisionIsRenderedAsItWas: neither an upgrade of Serin nor an
// edit of the service may touch Pods that run.
func TestAStoredRevisionIsRenderedAsItWas(t *testing.T) {
	isvc := decode[v1beta1.InferenceService](t, []byte(iris))
	runtimes, cluster := installed(t, nil)
	tmpl, err := Resolve(isvc, runtimes, cluster, Options{FetchImage: "fetch:1", QueueImage: "queue:1"})
	if err != nil {
		t.Fatal(err)
	}
	want := convert[appsv1.Deployment](t, Objects(isvc, Revision{Name: "r", Template: tmpl}).Deployment)

	read, err := ReadTemplate(stored(t, isvc, tmpl))
	if err != nil {
		t.Fatal(err)
	}
	isvc.Labels = map[string]string{"team": "flowers"}
	isvc.Spec.Predictor = v1beta1.PredictorSpec{}
	got := convert[appsv1.Deployment](t, Objects(isvc, Revision{Name: "r", Template: read}).Deployment)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-before +after:\n%s", diff)
	}
}

func TestDeploymentSelectsOneRevisionForEver(t *testing.T) {
	want := map[string]string{v1beta1.LabelRevision: "r"}
	for _, r := range []Revision{
		{Name: "r", Number: 1, Template: &Template{Hash: "a"}},
		{Name: "r", Number: 2, Template: &Template{Hash: "b"}, Scale: scale.Demand{Active: true}},
	} {
		d := convert[appsv1.Deployment](t, Objects(&v1beta1.InferenceService{}, r).Deployment)
		if diff := cmp.Diff(want, d.Spec.Selector.MatchLabels); diff != "" {
			t.Errorf("-want +got:\n%s", diff)
		}
	}
}

func TestReadTemplateNamesTheBrokenRevision(t *testing.T) {
	cr := &appsv1.ControllerRevision{Data: runtime.RawExtension{Raw: []byte("{")}}
	cr.Namespace, cr.Name = "default", "iris-predictor-00001"
	_, err := ReadTemplate(cr)
	want := "read the template of revision default/iris-predictor-00001: unexpected end of JSON input"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// convert decodes an apply configuration as the API server would.
func convert[T any](t *testing.T, o runtime.ApplyConfiguration) *T {
	t.Helper()
	b, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	return decodeStrict[T](t, b)
}

// TestRevisionOfAnEarlierVersionIsRenderedAsThen compares with what the version
// before revisions were held to their models made of a record that it stored.
func TestRevisionOfAnEarlierVersionIsRenderedAsThen(t *testing.T) {
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join("testdata", "earlier", name))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	tmpl, err := ReadTemplate(decodeStrict[appsv1.ControllerRevision](t, read("record.json")))
	if err != nil {
		t.Fatal(err)
	}
	isvc := &v1beta1.InferenceService{}
	isvc.Name, isvc.Namespace, isvc.UID = "sklearn-iris", "kserve-test", "5e71"
	objects := Objects(isvc, Revision{Name: "sklearn-iris-predictor-00001", Number: 1, Template: tmpl, Scale: scale.Demand{Active: true, Min: 1}})
	for name, o := range map[string]any{"record.json": objects.Record, "deployment.json": objects.Deployment} {
		got, err := json.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(read(name)), string(got)+"\n"); diff != "" {
			t.Errorf("%s (-then +now):\n%s", name, diff)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package render

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/v1beta1"
)

// unhashed are the fields whose change makes no new revision: traffic and
// scale, and what the API rejects anyway. Every other field is hashed.
var unhashed = []string{
	"canaryTrafficPercent", "minReplicas", "maxReplicas", "scaleTarget", "scaleMetric",
	"autoScaling", "batcher", "confidential", "deploymentStrategy", "logger", "name",
	"scaleMetricType", "storageContainerName", "storageUris", "workerSpec",
	"activeDeadlineSeconds", "ephemeralContainers", "evictionResponders", "hostnameOverride", "overhead", "priority",
	"resources", "schedulingGates", "schedulingGroup", "workloadRef",
}

// legacy forms replace model, so that they are tried apart from it.
var legacyForms = []string{
	"sklearn", "xgboost", "tensorflow", "pytorch", "triton", "onnx", "huggingface", "pmml", "lightgbm", "paddle",
}

func TestHashChangesExactlyWithTheHashedFields(t *testing.T) {
	empty := Hash(&v1beta1.PredictorSpec{})
	for _, f := range leaves(reflect.TypeFor[v1beta1.PredictorSpec]()) {
		p := &v1beta1.PredictorSpec{}
		fill(reflect.ValueOf(p).Elem().FieldByIndex(f.Index))
		name := jsonName(f)
		if changed := Hash(p) != empty; changed == slices.Contains(unhashed, name) {
			t.Errorf("%s: hash changed is %v", name, changed)
		}
	}
}

func TestHashChangesWithEveryFieldOfAModel(t *testing.T) {
	empty := Hash(&v1beta1.PredictorSpec{Model: &v1beta1.ModelSpec{}})
	for _, f := range leaves(reflect.TypeFor[v1beta1.ModelSpec]()) {
		m := &v1beta1.ModelSpec{}
		fill(reflect.ValueOf(m).Elem().FieldByIndex(f.Index))
		if Hash(&v1beta1.PredictorSpec{Model: m}) == empty {
			t.Errorf("model.%s is not hashed", jsonName(f))
		}
	}
	seen := map[string]string{}
	for _, f := range leaves(reflect.TypeFor[v1beta1.PredictorSpec]()) {
		name := jsonName(f)
		if !slices.Contains(legacyForms, name) {
			continue
		}
		p := &v1beta1.PredictorSpec{}
		fill(reflect.ValueOf(p).Elem().FieldByIndex(f.Index))
		h := Hash(p)
		if other, ok := seen[h]; ok {
			t.Errorf("%s and %s have the same hash", name, other)
		}
		seen[h] = name
	}
	if len(seen) != len(legacyForms) {
		t.Errorf("found %d legacy forms, want %d", len(seen), len(legacyForms))
	}
}

func TestSpellingsOfTheSameSpecHaveTheSameHash(t *testing.T) {
	for name, pair := range map[string][2]string{
		"legacy form":    {`sklearn: {storageUri: gs://b/m, args: [a]}`, `model: {modelFormat: {name: sklearn}, storageUri: gs://b/m, args: [a]}`},
		"legacy default": {`triton: {}`, `model: {modelFormat: {name: triton}, protocolVersion: v2}`},
		"empty values":   {`sklearn: {}`, `{sklearn: {resources: {}, args: [], env: []}, labels: {}, nodeSelector: {}}`},
		"quantities":     {`sklearn: {resources: {limits: {cpu: 1, memory: 1024Mi}}}`, `sklearn: {resources: {limits: {cpu: 1000m, memory: 1Gi}}}`},
		"numbers":        {`sklearn: {resources: {limits: {cpu: 0.5}}}`, `sklearn: {resources: {limits: {cpu: 500m}}}`},
		"old account":    {`{sklearn: {}, serviceAccount: a}`, `{sklearn: {}, serviceAccountName: a, serviceAccount: a, restartPolicy: Always}`},
		"defaults":       {`sklearn: {}`, `{sklearn: {}, timeout: 300, containerConcurrency: 0}`},
		"traffic":        {`sklearn: {}`, `{sklearn: {}, canaryTrafficPercent: 0, minReplicas: 3}`},
		"control annotations": {
			`sklearn: {}`,
			`{sklearn: {}, annotations: {serving.kserve.io/enable-tag-routing: "true", serving.kserve.io/stop: "true", autoscaling.knative.dev/target: "5", serin.dev/x: z, serin.dev/mutable-model: "true"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			if a, b := Hash(predictor(t, pair[0])), Hash(predictor(t, pair[1])); a != b {
				t.Errorf("%s has hash %s, but %s has %s", pair[0], a, pair[1], b)
			}
		})
	}
}

func TestSpecsThatMeanDifferentThingsHaveDifferentHashes(t *testing.T) {
	for name, pair := range map[string][2]string{
		"order of args":       {`sklearn: {args: [a, b]}`, `sklearn: {args: [b, a]}`},
		"named runtime":       {`sklearn: {}`, `model: {modelFormat: {name: sklearn}, runtime: r}`},
		"large integers":      {`{sklearn: {}, containerConcurrency: 9007199254740993}`, `{sklearn: {}, containerConcurrency: 9007199254740992}`},
		"refreshed":           {`{sklearn: {}, annotations: {serin.dev/refresh: "2026-01-02T03:04:05Z"}}`, `sklearn: {}`},
		"refreshed again":     {`{sklearn: {}, annotations: {serin.dev/refresh: "2026-01-02T03:04:05Z"}}`, `{sklearn: {}, annotations: {serin.dev/refresh: "2026-01-02T03:04:06Z"}}`},
		"empty selector":      {`{sklearn: {}, affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a, namespaceSelector: {}}]}}}`, `{sklearn: {}, affinity: {podAffinity: {requiredDuringSchedulingIgnoredDuringExecution: [{topologyKey: a}]}}}`},
		"false is not absent": {`{sklearn: {}, automountServiceAccountToken: false}`, `sklearn: {}`},
	} {
		t.Run(name, func(t *testing.T) {
			if a, b := Hash(predictor(t, pair[0])), Hash(predictor(t, pair[1])); a == b {
				t.Errorf("%s and %s have the same hash %s", pair[0], pair[1], a)
			}
		})
	}
}

func TestModelIsTheFormatAndThePlace(t *testing.T) {
	for spec, want := range map[string]string{
		`{sklearn: {storageUri: gs://b/m}, annotations: {serin.dev/refresh: "2026-01-02T03:04:05Z"}}`: "sklearn gs://b/m refreshed 2026-01-02T03:04:05Z",
		`sklearn: {storageUri: gs://b/m, args: [x]}`:                                                  "sklearn gs://b/m",
		`model: {modelFormat: {name: sklearn, version: "1"}, runtime: r, storageUri: gs://b/m}`:       "sklearn:1 gs://b/m",
		`model: {modelFormat: {name: huggingface}}`:                                                   "huggingface",
		`containers: [{name: mine, image: i, env: [{name: STORAGE_URI, value: gs://b/m}]}]`:           "i gs://b/m",
		`containers: [{name: a, image: x}, {name: kserve-container, image: i}]`:                       "i",
		`containers: [{name: a, image: x}, {name: b, image: i}]`:                                      "",
		`{}`: "",
	} {
		if got := Model(predictor(t, spec)); got != want {
			t.Errorf("Model(%s) = %q, want %q", spec, got, want)
		}
	}
}

func predictor(t *testing.T, spec string) *v1beta1.PredictorSpec {
	t.Helper()
	p := &v1beta1.PredictorSpec{}
	if err := yaml.UnmarshalStrict([]byte(spec), p); err != nil {
		t.Fatalf("%s: %v", spec, err)
	}
	return p
}

// leaves are a struct's JSON fields, those of inlined structs included.
func leaves(typ reflect.Type) []reflect.StructField {
	return slices.DeleteFunc(reflect.VisibleFields(typ), func(f reflect.StructField) bool {
		return f.Anonymous || !f.IsExported() || jsonName(f) == ""
	})
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// fill sets a value to something that is not zero; of a struct, a part.
func fill(v reflect.Value) {
	if q, ok := reflect.TypeAssert[*resource.Quantity](v.Addr()); ok {
		*q = resource.MustParse("7")
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Map:
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key)
		fill(value)
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(key, value)
	case reflect.Struct:
		if v.NumField() > 0 {
			fill(v.Field(0))
		}
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(7)
	default:
		panic("fill does not know " + v.Kind().String())
	}
}

// SPDX-License-Identifier: Apache-2.0

package render

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/api/v1beta1"
)

// KServe's runtimes hold placeholders for what KServe writes into a service.
func TestKServesRuntimesGetWhatKServeWrites(t *testing.T) {
	for _, c := range []struct{ name, predictor, want string }{
		{
			"MLServer, for a model of scikit-learn",
			"model: {modelFormat: {name: sklearn}, protocolVersion: v2, storageUri: gs://b/m}",
			`runtime kserve-mlserver
				env MLSERVER_MODEL_IMPLEMENTATION=mlserver_sklearn.SKLearnModel
				env MLSERVER_MODEL_NAME=m
				env MLSERVER_MODEL_URI=/mnt/models
				label modelClass=mlserver_sklearn.SKLearnModel`,
		},
		{
			"MLServer by its name, without a protocol", "model: {modelFormat: {name: xgboost}, runtime: kserve-mlserver, storageUri: gs://b/m}",
			`runtime kserve-mlserver
				env MLSERVER_MODEL_IMPLEMENTATION=mlserver_xgboost.XGBoostModel
				env MLSERVER_MODEL_NAME=m
				env MLSERVER_MODEL_URI=/mnt/models
				label modelClass=mlserver_xgboost.XGBoostModel`,
		},
		{
			"MLServer, for a legacy form with a variable of the user's",
			"lightgbm: {protocolVersion: v2, storageUri: gs://b/m, env: [{name: MLSERVER_MODEL_NAME, value: mine}]}",
			`runtime kserve-mlserver
				env MLSERVER_MODEL_IMPLEMENTATION=mlserver_lightgbm.LightGBMModel
				env MLSERVER_MODEL_NAME=mine
				env MLSERVER_MODEL_URI=/mnt/models
				label modelClass=mlserver_lightgbm.LightGBMModel`,
		},
		{
			"MLServer without a model to fetch", "model: {modelFormat: {name: mlflow}, protocolVersion: v2}",
			`runtime kserve-mlserver
				env MLSERVER_LOAD_MODELS_AT_STARTUP=false
				env MLSERVER_MODEL_IMPLEMENTATION=mlserver_mlflow.MLflowRuntime
				label modelClass=mlserver_mlflow.MLflowRuntime`,
		},
		{
			"MLServer, for a format whose class KServe does not know", "model: {modelFormat: {name: catboost}, protocolVersion: v2}",
			`runtime kserve-mlserver
				env MLSERVER_LOAD_MODELS_AT_STARTUP=false
				env MLSERVER_MODEL_IMPLEMENTATION=mlserver_sklearn.SKLearnModel
				label modelClass=mlserver_sklearn.SKLearnModel`,
		},
		{
			"MLServer under another name, by the runtime's annotation", "model: {modelFormat: {name: sklearn}, runtime: our-mlserver}",
			`runtime our-mlserver
				env MLSERVER_LOAD_MODELS_AT_STARTUP=false
				env MLSERVER_MODEL_IMPLEMENTATION=mlserver_sklearn.SKLearnModel
				label modelClass=mlserver_sklearn.SKLearnModel`,
		},
		{
			"a copy that nothing knows as MLServer", "model: {modelFormat: {name: sklearn}, runtime: a-copy}",
			`InvalidPredictorSpec: expand "{{.Labels.modelClass}}": the service has no label "modelClass": write it, or give the runtime ` +
				"the annotation serving.kserve.io/server-type with its server, such as mlserver",
		},
		{
			"the predictive server", "model: {modelFormat: {name: lightgbm}, storageUri: gs://b/m}",
			`runtime kserve-predictiveserver
				arg --model_name=m
				arg --framework=lightgbm
				annotation modelFormat=lightgbm`,
		},
		{
			"TorchServe", "pytorch: {storageUri: gs://b/m}",
			`runtime kserve-torchserve
				arg torchserve
				arg --start
				env PROTOCOL_VERSION=v1
				env TS_SERVICE_ENVELOPE=kserve
				label serviceEnvelope=kserve`,
		},
		{
			"TorchServe with protocol grpc-v2", "pytorch: {protocolVersion: grpc-v2, storageUri: gs://b/m}",
			`runtime kserve-torchserve
				arg torchserve
				arg --start
				env PROTOCOL_VERSION=grpc-v2
				env TS_SERVICE_ENVELOPE=kservev2
				label serviceEnvelope=kservev2`,
		},
		{
			"Triton, for its own format without a protocol", "model: {modelFormat: {name: triton}, storageUri: gs://b/m}",
			`runtime kserve-tritonserver
				arg tritonserver
				arg --model-store=/mnt/models`,
		},
		{
			"Triton without a model to fetch", "triton: {args: [--log-verbose=1]}",
			`runtime kserve-tritonserver
				arg tritonserver
				arg --model-store=/mnt/models
				arg --log-verbose=1
				arg --model-control-mode=explicit`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			data, err := os.ReadFile("testdata/kserve-runtimes.yaml")
			if err != nil {
				t.Fatal(err)
			}
			isvc := decode[v1beta1.InferenceService](t, []byte("{metadata: {name: m, namespace: default, labels: {modelClass: mine}}, spec: {predictor: {"+c.predictor+"}}}"))
			if strings.Contains(c.name, "copy") {
				isvc.Labels = nil
			}
			written := isvc.DeepCopy()
			runtimes, cluster := installed(t, data)
			tmpl, err := Resolve(isvc, runtimes, cluster, Options{})
			want := strings.ReplaceAll(c.want, "\t", "")
			if invalid, ok := errors.AsType[*Invalid](err); ok {
				if diff := cmp.Diff(want, string(invalid.Reason)+": "+invalid.Message); diff != "" {
					t.Errorf("the error (-want +got):\n%s", diff)
				}
				return
			}
			if diff := cmp.Diff(want, said(tmpl)); diff != "" {
				t.Errorf("the Pod (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(written, isvc); diff != "" {
				t.Errorf("the service was written (-want +got):\n%s", diff)
			}
			if tmpl.Hash != Hash(&isvc.Spec.Predictor) {
				t.Error("the hash covers more than what the user wrote")
			}
		})
	}
}

// MLServer opens its port before its model is loaded: a revision that got its share
// then would answer with errors.
func TestMLServerIsReadyWithItsModel(t *testing.T) {
	data, err := os.ReadFile("testdata/kserve-runtimes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	runtimes, cluster := installed(t, data)
	for _, c := range []struct{ name, model, want string }{
		{"its own address", "protocolVersion: v2", "GET /v2/health/ready 8080"},
		{"the user's port", "protocolVersion: v2, env: [{name: MLSERVER_HTTP_PORT, value: '9001'}]", "GET /v2/health/ready 9001"},
		{"another server", "runtime: kserve-predictiveserver", "TCP 8080"},
		{"the user's probe", "protocolVersion: v2, readinessProbe: {tcpSocket: {port: 1}}", "TCP 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			isvc := decode[v1beta1.InferenceService](t, []byte("{metadata: {name: m, namespace: default}, spec: {predictor: {model: {modelFormat: {name: sklearn}, "+c.model+"}}}}"))
			tmpl, err := Resolve(isvc, runtimes, cluster, Options{})
			if err != nil {
				t.Fatal(err)
			}
			var got string
			switch p := tmpl.Pod.Spec.Containers[0].ReadinessProbe; {
			case p.HTTPGet != nil:
				got = "GET " + p.HTTPGet.Path + " " + p.HTTPGet.Port.String()
			case p.TCPSocket != nil:
				got = "TCP " + p.TCPSocket.Port.String()
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// said is what KServe writes, in a revision's Pod.
func said(tmpl *Template) string {
	out := []string{"runtime " + tmpl.ClusterRuntime}
	c := tmpl.Pod.Spec.Containers[0]
	for _, arg := range c.Args {
		out = append(out, "arg "+arg)
	}
	var env []string
	for _, e := range c.Env {
		if e.Name != "INFERENCE_SERVICE_NAME" && e.Name != "K_REVISION" && e.Name != "MLSERVER_HTTP_PORT" {
			env = append(env, fmt.Sprintf("env %s=%s", e.Name, e.Value))
		}
	}
	slices.Sort(env)
	out = append(out, env...)
	for _, m := range []struct {
		kind, key string
		in        map[string]string
	}{
		{"label", labelModelClass, tmpl.Pod.Labels},
		{"label", labelServiceEnvelope, tmpl.Pod.Labels},
		{"annotation", annotationModelFormat, tmpl.Pod.Annotations},
	} {
		if v, ok := m.in[m.key]; ok && v != "mine" {
			out = append(out, fmt.Sprintf("%s %s=%s", m.kind, m.key, v))
		}
	}
	return strings.Join(out, "\n")
}

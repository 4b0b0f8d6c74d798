// SPDX-License-Identifier: Apache-2.0

package render

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Keys that KServe's runtimes name in their placeholders, and that KServe
// writes into a service for them.
const (
	labelModelClass       = "modelClass"
	labelServiceEnvelope  = "serviceEnvelope"
	annotationModelFormat = "modelFormat"
)

// annotationServerType, on a runtime, says which of KServe's servers it runs,
// whatever the runtime's name.
const annotationServerType = "serving.kserve.io/server-type"

// formatTriton is a format whose protocol is v2 unless the service names one.
const formatTriton = "triton"

// modelClasses are MLServer's classes for KServe's names of formats. All other
// formats get that of sklearn, as in KServe.
var modelClasses = map[string]string{
	"sklearn":  "mlserver_sklearn.SKLearnModel",
	"xgboost":  "mlserver_xgboost.XGBoostModel",
	"lightgbm": "mlserver_lightgbm.LightGBMModel",
	"mlflow":   "mlserver_mlflow.MLflowRuntime",
}

// completed returns the service as KServe's defaulting leaves it for the chosen
// runtime. KServe's ClusterServingRuntimes are templates of these values. The
// service itself is not written, and no revision follows from them: Hash and
// Model read what the user wrote.
func completed(isvc *v1beta1.InferenceService, m *v1beta1.ModelSpec, c candidate) *v1beta1.InferenceService {
	out := isvc.DeepCopy()
	m = m.DeepCopy()
	p := &out.Spec.Predictor
	out.Spec.Predictor = v1beta1.PredictorSpec{Model: m, PodSpec: p.PodSpec, ComponentExtension: p.ComponentExtension}
	stored := m.StorageURI != nil
	switch c.server {
	case "mlserver":
		defaultProtocol(m, "v2")
		if stored {
			defaultEnv(m, "MLSERVER_MODEL_NAME", isvc.Name)
			defaultEnv(m, "MLSERVER_MODEL_URI", modelDir)
		} else {
			defaultEnv(m, "MLSERVER_LOAD_MODELS_AT_STARTUP", "false")
		}
		out.Labels = with(out.Labels, labelModelClass, cmp.Or(modelClasses[m.ModelFormat.Name], modelClasses["sklearn"]))
	case "torchserve":
		defaultProtocol(m, "v1")
		defaultEnv(m, "PROTOCOL_VERSION", *m.ProtocolVersion)
		envelope := "kserve"
		if strings.HasSuffix(*m.ProtocolVersion, "v2") {
			envelope = "kservev2"
		}
		out.Labels = with(out.Labels, labelServiceEnvelope, envelope)
	case "tritonserver":
		defaultProtocol(m, "v2")
		if !stored {
			m.Args = append(m.Args, "--model-control-mode=explicit")
		}
	case "predictiveserver":
		out.Annotations = with(out.Annotations, annotationModelFormat, m.ModelFormat.Name)
	}
	return out
}

// serverType returns which of KServe's servers a runtime runs, by its
// annotation or else by its name.
func serverType(name string, annotations map[string]string) string {
	return cmp.Or(annotations[annotationServerType], strings.TrimPrefix(name, "kserve-"))
}

func defaultProtocol(m *v1beta1.ModelSpec, version string) {
	m.ProtocolVersion = new(ptr.Deref(m.ProtocolVersion, version))
}

// defaultEnv adds a variable that the user has not set. It wins over the
// runtime's.
func defaultEnv(m *v1beta1.ModelSpec, name, value string) {
	if !slices.ContainsFunc(m.Env, func(e corev1.EnvVar) bool { return e.Name == name }) {
		m.Env = append(m.Env, corev1.EnvVar{Name: name, Value: value})
	}
}

// with returns m and one more entry.
func with(m map[string]string, key, value string) map[string]string {
	out := map[string]string{key: value}
	maps.Copy(out, m)
	out[key] = value
	return out
}

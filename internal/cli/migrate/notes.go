// SPDX-License-Identifier: Apache-2.0

package migrate

import (
	"cmp"
	"maps"
	"slices"
	"strings"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/scale"
)

type note struct {
	level Level
	says  string
}

// control has the annotations and labels that control KServe, Knative and Istio,
// and their effect in Serin. A key that ends in a slash stands for all keys with
// that prefix.
var control = map[string]note{
	"serving.kserve.io/deploymentMode":              {Different, "there is one mode only: canaries, tags and scaling to zero work for every service, without Knative"},
	"serving.kserve.io/autoscalerClass":             {Rejected, "Serin scales by requests itself: remove it, and set scaleMetric and scaleTarget"},
	"serving.kserve.io/metrics":                     {Rejected, "Serin scales by requests itself: remove it, and set scaleMetric and scaleTarget"},
	"serving.kserve.io/targetUtilizationPercentage": {Rejected, "Serin scales by requests itself: remove it, and set scaleMetric and scaleTarget"},
	"serving.kserve.io/storageSecretName":           {Ignored, "this Secret is not read yet: models are fetched with the cloud identity of the Pod's service account, and endpoints are set by serin install --fetch-env"},
	"serving.kserve.io/enable-metric-aggregation":   {Ignored, "scrape the model server and queue-proxy each on its own port"},
	"serving.kserve.io/disable-auto-update":         {Ignored, "a changed runtime never restarts a service by itself"},
	"serving.kserve.io/disable-localmodel":          {Ignored, "there is no LocalModelCache to disable"},
	"serving.kserve.io/gke-accelerator":             {Ignored, "write the nodeSelector into the predictor instead"},
	"storage.kserve.io/readonly":                    {Ignored, "the model is always mounted read-only"},
	"serving.knative.dev/rollout-duration":          {Ignored, "a change of traffic takes effect at once: change canaryTrafficPercent in steps"},
	"networking.knative.dev/":                       {Ignored, "there is no Knative: your gateway handles TLS and certificates"},
	"sidecar.istio.io/":                             {Ignored, "Serin needs no Istio; the annotation reaches the Pods, for your own Istio"},
}

// notes returns findings about fields that Serin accepts and treats differently.
func notes(isvc *v1beta1.InferenceService) []note {
	p := &isvc.Spec.Predictor
	var out []note
	keys := map[string]bool{}
	for _, m := range []map[string]string{isvc.Annotations, isvc.Labels, p.Annotations, p.Labels} {
		for k := range m {
			keys[k] = !slices.Contains(v1beta1.VisibilityLabels, k)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if n, ok := controlled(key); ok && keys[key] {
			out = append(out, note{n.level, key + ": " + n.says})
		}
	}
	out = append(out, visibility(isvc)...)
	if err := v1beta1.CheckAuth(isvc.Annotations, p.Annotations); err != nil {
		out = append(out, note{Rejected, err.Error()})
	}
	var concurrency int64
	if p.ContainerConcurrency != nil {
		concurrency = *p.ContainerConcurrency
	}
	if _, err := scale.Read(scale.Annotations(isvc.Annotations, p.Annotations, &p.ComponentExtension, concurrency)); err != nil {
		out = append(out, note{Rejected, err.Error()})
	}
	if c := p.CanaryTrafficPercent; c != nil && *c == 0 {
		out = append(out, note{Different, "spec.predictor.canaryTrafficPercent 0 with a template that differs in its model's arguments only pins the previous model: start such a change at 1 or more"})
	}
	if p.MinReplicas != nil && *p.MinReplicas == 0 {
		out = append(out, note{Different, "spec.predictor.minReplicas 0 scales to zero in every mode; requests that arrive meanwhile wait"})
	}
	if p.ServiceAccountName != "" || p.ServiceAccount != "" {
		out = append(out, note{Different, "spec.predictor.serviceAccountName: models are fetched with the cloud identity of this account; Secrets that are attached to it are not read yet"})
	}
	if m := p.ModelOrLegacy(); m != nil && m.ProtocolVersion != nil && *m.ProtocolVersion == "v2" && m.Runtime == nil && m.ModelFormat.Name == "sklearn" {
		out = append(out, note{Different, "spec.predictor.model.protocolVersion v2: KServe chooses MLServer, whose output is named predict; without its runtime, Serin's own server answers, whose output is output-0, as KServe's scikit-learn server does"})
	}
	slices.SortStableFunc(out, func(a, b note) int { return cmp.Compare(gravity(a.level), gravity(b.level)) })
	return out
}

// visibility returns findings about labels that make a service private.
func visibility(isvc *v1beta1.InferenceService) []note {
	p := &isvc.Spec.Predictor
	var out []note
	for _, key := range v1beta1.VisibilityLabels {
		if isvc.Annotations[key] != "" || p.Annotations[key] != "" {
			out = append(out, note{Ignored, key + ": only the label has an effect, as in KServe: the annotation leaves the service public"})
		}
		if v1beta1.Private(map[string]string{key: isvc.Labels[key]}, map[string]string{key: p.Labels[key]}) {
			out = append(out, note{Different, key + ": supported: the service answers within the cluster only. The label takes effect at once, without new Pods and without Knative"})
		}
	}
	if err := v1beta1.CheckVisibility(isvc.Labels, p.Labels); err != nil {
		out = append(out, note{Rejected, err.Error()})
	}
	return out
}

func gravity(l Level) int { return slices.Index([]Level{Rejected, Ignored, Different}, l) }

// controlled returns the entry of a key, or else that of its longest prefix.
func controlled(key string) (note, bool) {
	if n, ok := control[key]; ok {
		return n, true
	}
	if group, _, ok := strings.Cut(key, "/"); ok {
		n, ok := control[group+"/"]
		return n, ok
	}
	return note{}, false
}

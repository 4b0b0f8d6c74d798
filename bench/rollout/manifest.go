// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/serin-dev/serin/api/v1beta1"

// manifest is the walk-through's manifest with the parts that change.
type manifest struct {
	model   string // its folder in the bucket
	args    string // of the model server; empty: none, and no runtime either
	percent *int64 // canaryTrafficPercent
	toZero  bool   // minReplicas: 0, and a short window
}

// service returns the manifest as an object.
func (m manifest) service() map[string]any {
	model := map[string]any{
		"modelFormat": map[string]any{"name": "sklearn"},
		"storageUri":  "gs://kfserving-examples/models/sklearn/1.0/" + m.model,
	}
	if m.args != "" {
		model["args"] = []string{m.args}
		model["runtime"] = "kserve-sklearnserver"
		model["resources"] = map[string]any{}
	}
	predictor := map[string]any{"model": model}
	if m.percent != nil {
		predictor["canaryTrafficPercent"] = *m.percent
	}
	metadata := map[string]any{"name": service, "namespace": namespace}
	if m.toZero {
		predictor["minReplicas"] = 0
		metadata["annotations"] = map[string]any{"autoscaling.knative.dev/window": "6s"}
	}
	return map[string]any{
		"apiVersion": v1beta1.GroupVersion.String(),
		"kind":       v1beta1.Kind.Kind,
		"metadata":   metadata,
		"spec":       map[string]any{"predictor": predictor},
	}
}

func (m manifest) at(percent int64) manifest {
	m.percent = &percent
	return m
}

// SPDX-License-Identifier: Apache-2.0

package v1beta1_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/v1beta1"
)

func TestModelOrLegacy(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"a model is itself":             {"model: {modelFormat: {name: a}, runtime: r, storageUri: gs://b/m}", "{modelFormat: {name: a}, runtime: r, storageUri: gs://b/m}"},
		"custom containers are none":    {"containers: [{name: c, image: i}]", "null"},
		"a legacy form is its format":   {"sklearn: {storageUri: gs://b/m, args: [x]}", "{modelFormat: {name: sklearn}, storageUri: gs://b/m, args: [x]}"},
		"some formats speak v2":         {"triton: {}", "{modelFormat: {name: triton}, protocolVersion: v2}"},
		"unless asked for another":      {"onnx: {protocolVersion: grpc-v2}", "{modelFormat: {name: onnx}, protocolVersion: grpc-v2}"},
		"a legacy form wins over model": {"{model: {modelFormat: {name: a}}, xgboost: {}}", "{modelFormat: {name: xgboost}}"},
	} {
		t.Run(name, func(t *testing.T) {
			p := &v1beta1.PredictorSpec{}
			if err := yaml.UnmarshalStrict([]byte(c.in), p); err != nil {
				t.Fatal(err)
			}
			var want *v1beta1.ModelSpec
			if err := yaml.UnmarshalStrict([]byte(c.want), &want); err != nil {
				t.Fatal(err)
			}
			before := p.DeepCopy()
			got := p.ModelOrLegacy()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
			if got != nil && got != p.Model {
				got.Args = append(got.Args[:0], "changed")
			}
			if diff := cmp.Diff(before, p); diff != "" {
				t.Errorf("changing the answer changed the spec (-before +after):\n%s", diff)
			}
		})
	}
}

// SPDX-License-Identifier: Apache-2.0

package render

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/api/v1beta1"
)

func TestRuntimeIsChosenInOrder(t *testing.T) {
	const container = ", containers: [{name: kserve-container, image: i}]}"
	ns := func(name, spec string) string {
		return "{kind: ServingRuntime, metadata: {name: " + name + ", namespace: default, creationTimestamp: '2026-01-01T00:00:00Z'}, spec: {" + spec + container + "}\n---\n"
	}
	cl := func(name, spec string) string {
		return "{kind: ClusterServingRuntime, metadata: {name: " + name + ", creationTimestamp: '2026-01-01T00:00:00Z'}, spec: {" + spec + container + "}\n---\n"
	}
	const auto = "supportedModelFormats: [{name: sklearn, version: '1', autoSelect: true}]"
	for _, c := range []struct{ name, model, runtimes, want string }{
		{"the only one", "", cl("a", auto), "a"},
		{
			"a namespaced one before any of the cluster", "",
			cl("a", "supportedModelFormats: [{name: sklearn, autoSelect: true, priority: 9}]") + ns("z", auto), "z",
		},
		{
			"never one of another namespace", "",
			"{kind: ServingRuntime, metadata: {name: z, namespace: other}, spec: {" + auto + container + "}\n---\n" + cl("a", auto), "a",
		},
		{
			"the higher priority", "",
			cl("a", "supportedModelFormats: [{name: sklearn, autoSelect: true, priority: 1}]") +
				cl("b", "supportedModelFormats: [{name: sklearn, autoSelect: true, priority: 2}]"), "b",
		},
		{
			"any priority before none", "",
			cl("a", auto) + cl("b", "supportedModelFormats: [{name: sklearn, autoSelect: true, priority: 1}]"), "b",
		},
		{
			"the priority of the first entry of the format's name", "",
			cl("a", "supportedModelFormats: [{name: sklearn, version: '0', priority: 1}, {name: sklearn, version: '1', autoSelect: true, priority: 9}]") +
				cl("b", "supportedModelFormats: [{name: sklearn, autoSelect: true, priority: 2}]"), "b",
		},
		{
			"a higher priority before a preferred protocol", "",
			cl("a", "protocolVersions: [v1], supportedModelFormats: [{name: sklearn, autoSelect: true, priority: 1}]") +
				cl("b", "protocolVersions: [v2, v1], supportedModelFormats: [{name: sklearn, autoSelect: true, priority: 2}]"), "b",
		},
		{
			"the preferred protocol, when both speak the wanted one", "protocolVersion: v2",
			cl("a", "protocolVersions: [v2], "+auto) + cl("b", "protocolVersions: [v2, v1], "+auto), "b",
		},
		{
			"listed protocols before none listed", "",
			cl("a", auto) + cl("b", "protocolVersions: [v1], "+auto), "b",
		},
		{
			"the newer one", "",
			cl("a", auto) + "{kind: ClusterServingRuntime, metadata: {name: b, creationTimestamp: '2026-02-01T00:00:00Z'}, spec: {" + auto + container + "}\n---\n", "b",
		},
		{"the first name", "", cl("b", auto) + cl("a", auto), "a"},
		{
			"only one that speaks v1, unless asked otherwise", "",
			cl("a", "protocolVersions: [v2], "+auto) + cl("b", "protocolVersions: [v1], "+auto), "b",
		},
		{
			"only one that speaks the wanted protocol", "protocolVersion: v2",
			cl("a", "protocolVersions: [v1], "+auto) + cl("b", "protocolVersions: [v1, v2], "+auto), "b",
		},
		{
			"only one of that very version", "modelFormat: {name: sklearn, version: '1'}",
			cl("a", "supportedModelFormats: [{name: sklearn, version: '1.3', autoSelect: true}]") + cl("b", auto), "b",
		},
		{
			"never one that does not select itself", "",
			cl("a", "supportedModelFormats: [{name: sklearn, autoSelect: false}]") + cl("b", auto), "b",
		},
		{"never a disabled one", "", cl("a", "disabled: true, "+auto) + cl("b", auto), "b"},
		{"never a multi-model one", "", cl("a", "multiModel: true, "+auto) + cl("b", auto), "b"},

		{
			"named: one that does not select itself", "runtime: a",
			cl("a", "supportedModelFormats: [{name: sklearn}]") + cl("b", auto), "a",
		},
		{"named: the namespaced one of that name", "runtime: a", cl("a", auto) + ns("a", auto), "default/a"},
		{"named: any protocol unless one is asked for", "runtime: a", cl("a", "protocolVersions: [v2], "+auto), "a"},

		{
			"none installed", "", "",
			"NoSupportingRuntime: no runtime selects itself for model format sklearn with protocol v1: name one in predictor.model.runtime, or install one; formats offered: none",
		},
		{
			"none for the format", "modelFormat: {name: onnx, version: '3'}", cl("a", auto),
			"NoSupportingRuntime: no runtime selects itself for model format onnx version 3 with protocol v1: name one in predictor.model.runtime, or install one; formats offered: sklearn version 1",
		},
		{
			"named: unknown", "runtime: c", cl("b", auto) + cl("a", auto),
			"RuntimeNotRecognized: no ServingRuntime c in namespace default and no ClusterServingRuntime of that name: there are a, b",
		},
		{
			"named: disabled", "runtime: a", cl("a", "disabled: true, "+auto),
			"RuntimeDisabled: runtime a is disabled",
		},
		{
			"named: multi-model", "runtime: a", cl("a", "multiModel: true, "+auto),
			"RuntimeNotRecognized: runtime a is a multi-model runtime, which Serin does not run",
		},
		{
			"named: another protocol", "runtime: a, protocolVersion: grpc-v2", cl("a", "protocolVersions: [v1, v2], "+auto),
			"NoSupportingRuntime: runtime a does not speak protocol grpc-v2: it speaks v1, v2",
		},
		{
			"named: another format", "runtime: a, modelFormat: {name: onnx}", cl("a", auto),
			"NoSupportingRuntime: runtime a does not serve model format onnx: it serves sklearn version 1",
		},
		{
			"named: another version", "runtime: a, modelFormat: {name: sklearn, version: '1.3'}", cl("a", auto),
			"NoSupportingRuntime: runtime a does not serve model format sklearn version 1.3: it serves sklearn version 1",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			isvc := &v1beta1.InferenceService{}
			isvc.Namespace = "default"
			m := decode[v1beta1.ModelSpec](t, []byte("{"+c.model+"}"))
			if m.ModelFormat.Name == "" {
				m.ModelFormat.Name = "sklearn"
			}
			runtimes, cluster := installed(t, []byte(c.runtimes))
			got, err := choose(isvc, m, runtimes, cluster)
			answer := got.name
			if got.inspace && c.want == "default/"+got.name {
				answer = c.want
			}
			if err != nil {
				var invalid *Invalid
				if !errors.As(err, &invalid) {
					t.Fatalf("error %T (%v), want *Invalid", err, err)
				}
				answer = string(invalid.Reason) + ": " + invalid.Message
			}
			if diff := cmp.Diff(c.want, answer); diff != "" {
				t.Errorf("chose (-want +got):\n%s", diff)
			}
		})
	}
}

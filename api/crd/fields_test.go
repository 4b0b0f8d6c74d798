// SPDX-License-Identifier: Apache-2.0

package crd_test

import (
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/crd"
)

// An API server drops fields that the schema does not know, and tells only clients
// that ask for strict checks. KServe's SDK does not ask.
func TestEveryFieldOfKServeIsKnown(t *testing.T) {
	types := kserveTypes(t)
	for file, root := range map[string]string{
		"inferenceservices.yaml":      "V1beta1InferenceService",
		"servingruntimes.yaml":        "V1alpha1ServingRuntime",
		"clusterservingruntimes.yaml": "V1alpha1ClusterServingRuntime",
	} {
		missing := types.missing(schemaOf(t, file), root, strings.TrimSuffix(file, "s.yaml"))
		for _, path := range missing {
			t.Errorf("%s is a field of KServe and unknown here: do it, or reject it with a sentence", path)
		}
	}
}

// fieldTypes holds, per type and field, the field's own type if it is KServe's.
type fieldTypes map[string]map[string]string

// kserveTypes reads what tools/kserve-fields.sh wrote.
func kserveTypes(t *testing.T) fieldTypes {
	t.Helper()
	list, err := os.ReadFile("testdata/kserve-fields.txt")
	if err != nil {
		t.Fatal(err)
	}
	out := fieldTypes{}
	for line := range strings.Lines(string(list)) {
		words := strings.Fields(line)
		if words[0] == "#" {
			continue
		}
		out[words[0]] = map[string]string{}
		for _, word := range words[1:] {
			field, of, _ := strings.Cut(word, ":")
			out[words[0]][field] = of
		}
	}
	return out
}

// missing returns the paths that a schema does not know of a type. A field that is
// rejected is known with all that is inside.
func (types fieldTypes) missing(s apiextensionsv1.JSONSchemaProps, of, path string) (paths []string) {
	if s.XPreserveUnknownFields != nil {
		return nil
	}
	for _, field := range slices.Sorted(maps.Keys(types[of])) {
		f, ok := s.Properties[field]
		at := path + "." + field
		if !ok {
			paths = append(paths, at)
			continue
		}
		switch {
		case rejected(f):
		case f.Items != nil:
			paths = append(paths, types.missing(*f.Items.Schema, types[of][field], at+"[]")...)
		case f.AdditionalProperties != nil:
			paths = append(paths, types.missing(*f.AdditionalProperties.Schema, types[of][field], at+".*")...)
		case f.Type == "object" && field != "metadata":
			paths = append(paths, types.missing(f, types[of][field], at)...)
		}
	}
	return paths
}

func rejected(s apiextensionsv1.JSONSchemaProps) bool {
	return slices.ContainsFunc(s.XValidations, func(r apiextensionsv1.ValidationRule) bool { return r.Rule == "false" })
}

// Kubernetes' types are those of this version of its client.
func TestEveryFieldOfAPodIsKnown(t *testing.T) {
	predictor := schemaOf(t, "inferenceservices.yaml").Properties["spec"].Properties["predictor"]
	for of, s := range map[reflect.Type]apiextensionsv1.JSONSchemaProps{
		reflect.TypeFor[corev1.PodSpec]():   predictor,
		reflect.TypeFor[corev1.Container](): predictor.Properties["model"],
	} {
		for f := range of.Fields() {
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			if _, ok := s.Properties[name]; !ok {
				t.Errorf("%s.%s is unknown: do it, or reject it with a sentence", of.Name(), name)
			}
		}
	}
}

func schemaOf(t *testing.T, file string) apiextensionsv1.JSONSchemaProps {
	t.Helper()
	doc, err := crd.Files.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var def apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(doc, &def); err != nil {
		t.Fatal(err)
	}
	return *def.Spec.Versions[0].Schema.OpenAPIV3Schema
}

func TestFieldsThatSerinDoesNotDoAreRejected(t *testing.T) {
	s := newServer(t, "inferenceservices.yaml")
	const same = "predictor: {model: {modelFormat: {name: sklearn}}}"
	for _, c := range []struct{ manifest, want string }{
		{
			predictor("activeDeadlineSeconds: 60"),
			"spec.predictor.activeDeadlineSeconds: Invalid value: 60: a Pod that serves has no deadline: remove activeDeadlineSeconds; timeout bounds a request",
		},
		{
			predictor("ephemeralContainers: [{name: debug, image: i}]"),
			"spec.predictor.ephemeralContainers: Invalid value: ephemeral containers are added to Pods that run: remove ephemeralContainers, and use kubectl debug",
		},
		{
			predictor("evictionResponders: [{name: example.com/r}]"),
			"spec.predictor.evictionResponders: Invalid value: responders to an eviction do not work in Serin yet: remove evictionResponders; a Pod's requests end before it does",
		},
		{
			predictor("hostnameOverride: a.example.com"),
			`spec.predictor.hostnameOverride: Invalid value: "a.example.com": hostnameOverride does not work in Serin yet: use hostname and subdomain`,
		},
		{
			predictor("overhead: {cpu: 1}"),
			"spec.predictor.overhead: Invalid value: overhead follows from the RuntimeClass: remove it, and set runtimeClassName",
		},
		{
			predictor("priority: 10"),
			"spec.predictor.priority: Invalid value: 10: priority follows from the PriorityClass: remove it, and set priorityClassName",
		},
		{
			predictor("resources: {limits: {cpu: 1}}"),
			"spec.predictor.resources: Invalid value: resources of a whole Pod do not work in Serin yet: set model.resources, or those of each container",
		},
		{
			predictor("schedulingGates: [{name: example.com/g}]"),
			"spec.predictor.schedulingGates: Invalid value: a Pod with gates waits for a scheduler's helper, which does not work in Serin yet: remove schedulingGates",
		},
		{
			predictor("schedulingGroup: {podGroupName: g}"),
			"spec.predictor.schedulingGroup: Invalid value: scheduling Pods as a group does not work in Serin yet: remove schedulingGroup",
		},
		{
			predictor("workloadRef: {name: w}"),
			"spec.predictor.workloadRef: Invalid value: scheduling Pods as a group does not work in Serin yet: remove workloadRef",
		},
		{
			predictor("restartPolicy: Never"),
			`spec.predictor.restartPolicy: Invalid value: "Never": restartPolicy must be Always: a Pod that serves starts again whenever it ends`,
		},
		{
			predictor("os: {name: windows}"),
			"spec.predictor.os: Invalid value: os.name must be linux, because Serin's own containers run on nothing else",
		},
		{
			predictor("serviceAccount: a, serviceAccountName: b"),
			"spec.predictor: Invalid value: serviceAccount is the old name of serviceAccountName, and they differ: keep serviceAccountName",
		},
		{
			predictor("storageUris: [{uri: gs://b/m}]"),
			"spec.predictor.storageUris: Invalid value: several storage URIs do not work in Serin yet: use model.storageUri, and keep the model in one folder",
		},
		{
			model("confidential: {enabled: true}"),
			"spec.predictor.model.confidential: Invalid value: confidential computing does not work in Serin yet: remove confidential",
		},
		{
			service("iris", "{"+same+", tracing: {exporter: otlp}}"),
			"spec.tracing: Invalid value: tracing does not work in Serin yet: remove it, and give the model's server its exporter by env (OTEL_EXPORTER_OTLP_ENDPOINT and others)",
		},
		{
			predictor("containers: [{name: transformer-container, image: i}]"),
			"spec.predictor: Invalid value: predictor.containers beside a model (in KServe a collocated transformer) does not work in Serin yet: serve the transformer as an InferenceService of its own, or write all containers and no model",
		},
		{
			service("iris", "{predictor: {sklearn: {}, containers: [{name: transformer-container, image: i}]}}"),
			"spec.predictor: Invalid value: predictor.containers beside a model (in KServe a collocated transformer) does not work in Serin yet: serve the transformer as an InferenceService of its own, or write all containers and no model",
		},
		{
			model("livenessProbe: {httpGet: {port: 8080.5}}"),
			"spec.predictor.model.livenessProbe.httpGet.port: Invalid value: \"number\": spec.predictor.model.livenessProbe.httpGet.port in body must be of type integer,string: \"number\"",
		},
	} {
		if diff := cmp.Diff(c.want, strings.Join(s.create(t, c.manifest), "\n")); diff != "" {
			t.Errorf("%s\n(-want +got):\n%s", c.manifest, diff)
		}
	}
}

func TestFieldsOfAPodAreAccepted(t *testing.T) {
	s := newServer(t, "inferenceservices.yaml")
	for _, manifest := range []string{
		predictor("serviceAccount: a"),
		predictor("serviceAccount: a, serviceAccountName: a"),
		predictor("restartPolicy: Always, os: {name: linux}, setHostnameAsFQDN: true, readinessGates: [{conditionType: example.com/open}]"),
		model("resources: {limits: {cpu: 0.1, memory: 1e9}, requests: {cpu: 0.05, memory: 100000000}}"),
		"{apiVersion: serving.kserve.io/v1beta1, kind: InferenceService, metadata: {name: export, namespace: default}, spec: {predictor: {sklearn: {}}}, " +
			"status: {deploymentMode: Standard, annotations: {a: b}, canaryStatuses: [{name: c, ready: true}], components: {predictor: {restUrl: 'http://a', grpcUrl: 'http://b'}}}}",
	} {
		if got := s.create(t, manifest); got != nil {
			t.Errorf("rejected: %s\n%s", strings.Join(got, "\n"), manifest)
		}
	}
}

func TestKindsThatSerinDoesNotHaveAreRejected(t *testing.T) {
	for file, c := range map[string]struct{ manifest, want string }{
		"inferencegraphs.yaml": {
			"{apiVersion: serving.kserve.io/v1alpha1, kind: InferenceGraph, metadata: {name: g}, spec: {nodes: {root: {routerType: Sequence, steps: [{serviceName: a}]}}}, status: {url: u}}",
			"spec: Invalid value: Serin has no InferenceGraph yet: call the InferenceServices one after the other from your client, or from a service of your own",
		},
		"trainedmodels.yaml": {
			"{apiVersion: serving.kserve.io/v1alpha1, kind: TrainedModel, metadata: {name: m}, spec: {inferenceService: a, model: {framework: sklearn, storageUri: gs://b/m, memory: 1Gi}}}",
			"spec: Invalid value: Serin has no TrainedModel, for one server serves one model: write an InferenceService for each model",
		},
		"localmodelcaches.yaml": {
			"{apiVersion: serving.kserve.io/v1alpha1, kind: LocalModelCache, metadata: {name: c}, spec: {sourceModelUri: 'gs://b/m', modelSize: 1Gi, nodeGroups: [g]}}",
			"spec: Invalid value: Serin has no LocalModelCache: write the storageUri into the InferenceService, and let nodes keep the models that they fetched (serin install --model-cache)",
		},
		"localmodelnamespacecaches.yaml": {
			"{apiVersion: serving.kserve.io/v1alpha1, kind: LocalModelNamespaceCache, metadata: {name: c}, spec: {sourceModelUri: 'gs://b/m', modelSize: 1Gi, nodeGroups: [g]}}",
			"spec: Invalid value: Serin has no LocalModelNamespaceCache: write the storageUri into the InferenceService, and let nodes keep the models that they fetched (serin install --model-cache)",
		},
		"localmodelnodegroups.yaml": {
			"{apiVersion: serving.kserve.io/v1alpha1, kind: LocalModelNodeGroup, metadata: {name: g}, spec: {storageLimit: 1Gi, persistentVolumeSpec: {}, persistentVolumeClaimSpec: {}}}",
			"spec: Invalid value: Serin has no LocalModelNodeGroup: each node may keep the models that it fetched (serin install --model-cache)",
		},
	} {
		if diff := cmp.Diff(c.want, strings.Join(newServer(t, file).create(t, c.manifest), "\n")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", file, diff)
		}
	}
}

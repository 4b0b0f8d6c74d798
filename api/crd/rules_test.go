// SPDX-License-Identifier: Apache-2.0

package crd_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
	"sigs.k8s.io/yaml"
)

const iris = "gs://kfserving-examples/models/sklearn/1.0/model"

// service is a manifest with this name and, in flow style, this spec.
func service(name, spec string) string {
	return fmt.Sprintf("{apiVersion: serving.kserve.io/v1beta1, kind: InferenceService, metadata: {name: %q, namespace: default}, spec: %s}", name, spec)
}

// predictor is a service whose model is fine and whose predictor also says
// what is given.
func predictor(more string) string {
	return service("iris", "{predictor: {model: {modelFormat: {name: sklearn}, storageUri: "+iris+"}, "+more+"}}")
}

// model is a service whose model also says what is given.
func model(more string) string {
	return service("iris", "{predictor: {model: {modelFormat: {name: sklearn}, "+more+"}}}")
}

// TestRenderedManifestsAreAccepted checks that what internal/controlplane/render is tested
// with is what an API server lets through, the shipped runtimes included.
func TestRenderedManifestsAreAccepted(t *testing.T) {
	servers := map[string]*server{
		"InferenceService":      newServer(t, "inferenceservices.yaml"),
		"ServingRuntime":        newServer(t, "servingruntimes.yaml"),
		"ClusterServingRuntime": newServer(t, "clusterservingruntimes.yaml"),
	}
	for _, doc := range slices.Concat(runtimes(t), goldens(t)) {
		for manifest := range strings.SplitSeq(string(doc.Data), "---\n") {
			var kind struct{ Kind string }
			if err := yaml.Unmarshal([]byte(manifest), &kind); err != nil {
				t.Fatalf("%s: %v", doc.Name, err)
			}
			for _, got := range servers[kind.Kind].create(t, manifest) {
				t.Errorf("%s: %s", doc.Name, got)
			}
		}
	}
}

// runtimes are those that Serin ships, and some in the form of KServe's.
func runtimes(t *testing.T) (docs []txtar.File) {
	t.Helper()
	for _, file := range find(t, "../../internal/controlplane/render/*/*.yaml") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		docs = append(docs, txtar.File{Name: file, Data: data})
	}
	return docs
}

func goldens(t *testing.T) (docs []txtar.File) {
	t.Helper()
	for _, file := range find(t, "../../internal/controlplane/render/testdata/*.txtar") {
		ar, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range ar.Files {
			if f.Name == "in.yaml" || f.Name == "runtimes.yaml" {
				docs = append(docs, txtar.File{Name: file + "/" + f.Name, Data: f.Data})
			}
		}
	}
	return docs
}

func find(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("find %s: %d files, error %v", pattern, len(files), err)
	}
	return files
}

func TestGoodServicesAreAccepted(t *testing.T) {
	s := newServer(t, "inferenceservices.yaml")
	for name, manifest := range map[string]string{
		"model":                 model("storageUri: " + iris),
		"model without storage": model("args: [--model_id=x]"),
		"everything of a model": model("storageUri: " + iris + `, runtime: r, runtimeVersion: "1", protocolVersion: v2, image: i, command: [a], args: [b],
			env: [{name: A, value: b}], resources: {limits: {cpu: 1, memory: 1Gi}, requests: {cpu: 500m}}, ports: [{containerPort: 9000}],
			readinessProbe: {httpGet: {path: /, port: 9000}}, volumeMounts: [{name: v, mountPath: /v}]`),
		"everything of a predictor": predictor(`minReplicas: 1, maxReplicas: 3, scaleTarget: 5, scaleMetric: rps, containerConcurrency: 4, timeout: 60,
			canaryTrafficPercent: 10, labels: {a: b}, annotations: {c: d}, serviceAccountName: s, nodeSelector: {a: b}, tolerations: [{operator: Exists}],
			volumes: [{name: v, emptyDir: {}}], initContainers: [{name: i, image: i}], terminationGracePeriodSeconds: 0`),
		"a refresh":               predictor(`annotations: {serin.dev/refresh: "2026-01-31T12:00:00.5+01:00"}`),
		"a longest refresh":       predictor("annotations: {serin.dev/refresh: " + strings.Repeat("b", 64) + "}"),
		"no refresh":              predictor(`annotations: {serin.dev/refresh: ""}`),
		"canary of 0":             predictor("canaryTrafficPercent: 0"),
		"canary of 100":           predictor("canaryTrafficPercent: 100"),
		"no bound of replicas":    predictor("minReplicas: 5, maxReplicas: 0"),
		"scale to zero":           predictor("minReplicas: 0"),
		"legacy form":             service("iris", "{predictor: {sklearn: {storageUri: "+iris+"}}}"),
		"empty legacy form":       service("iris", "{predictor: {huggingface: {args: [--model_id=x]}}}"),
		"custom container":        service("iris", "{predictor: {containers: [{name: mine, image: i}]}}"),
		"two custom containers":   service("iris", "{predictor: {containers: [{name: kserve-container, image: i}, {name: b, image: i}]}}"),
		"a path on the node":      model("storageUri: /models/iris"),
		"a claim":                 model("storageUri: pvc://claim/models/iris"),
		"the longest name":        service("a"+strings.Repeat("b", 52), "{predictor: {sklearn: {}}}"),
		"a status sent by a user": strings.TrimSuffix(model("storageUri: "+iris), "}") + ", status: {url: x}}",
	} {
		t.Run(name, func(t *testing.T) {
			if got := s.create(t, manifest); got != nil {
				t.Errorf("rejected: %s\n%s", strings.Join(got, "\n"), manifest)
			}
		})
	}
}

const refreshRule = `spec.predictor.annotations: Invalid value: serin.dev/refresh must be a time such as 2026-01-31T12:00:00Z, or another word of at most 64 letters, digits and : . + _ -`

// TestBadServicesAreRejected pins every sentence that a user may read.
func TestBadServicesAreRejected(t *testing.T) {
	s := newServer(t, "inferenceservices.yaml")
	for _, c := range []struct{ name, manifest, want string }{
		{
			"no predictor", service("iris", "{}"),
			"spec.predictor: Required value",
		},
		{
			"no implementation", service("iris", "{predictor: {minReplicas: 1}}"),
			"spec.predictor: Invalid value: name exactly one implementation: predictor.model, or predictor.containers, or one legacy form such as predictor.sklearn",
		},
		{
			"two implementations", predictor("sklearn: {}"),
			"spec.predictor: Invalid value: name exactly one implementation: predictor.model, or predictor.containers, or one legacy form such as predictor.sklearn",
		},
		{
			"no custom containers", service("iris", "{predictor: {containers: []}}"),
			"spec.predictor.containers: Invalid value: 0: spec.predictor.containers in body should have at least 1 items",
		},
		{
			"no kserve-container among several", service("iris", "{predictor: {containers: [{name: a, image: i}, {name: b, image: i}]}}"),
			"spec.predictor: Invalid value: one of several predictor.containers must be named kserve-container: it takes the requests",
		},
		{
			"a transformer beside a container", service("iris", "{predictor: {containers: [{name: kserve-container, image: i}, {name: transformer-container, image: i}]}}"),
			"spec.predictor: Invalid value: a transformer-container beside kserve-container does not work in Serin yet, and requests would pass it by: serve the transformer as an InferenceService of its own",
		},
		{
			"a container name twice", service("iris", "{predictor: {containers: [{name: kserve-container, image: i}, {name: kserve-container, image: i}]}}"),
			"spec.predictor.containers[1]: Duplicate value: {\"name\":\"kserve-container\"}",
		},
		{
			"no model format", service("iris", "{predictor: {model: {storageUri: "+iris+"}}}"),
			"spec.predictor.model.modelFormat: Required value",
		},
		{
			"a canary above 100", predictor("canaryTrafficPercent: 101"),
			"spec.predictor.canaryTrafficPercent: Invalid value: 101: canaryTrafficPercent must be from 0 to 100",
		},
		{
			"a canary below 0", predictor("canaryTrafficPercent: -1"),
			"spec.predictor.canaryTrafficPercent: Invalid value: -1: canaryTrafficPercent must be from 0 to 100",
		},
		{
			"a canary of half a percent", predictor("canaryTrafficPercent: 0.5"),
			"spec.predictor.canaryTrafficPercent: Invalid value: \"float64\": spec.predictor.canaryTrafficPercent in body must be of type int64: \"float64\"\n<nil>: Invalid value: \"\": Checked value must be of type integer with format int64 in spec.predictor.canaryTrafficPercent",
		},
		{
			"a canary in words", predictor("canaryTrafficPercent: ten"),
			"spec.predictor.canaryTrafficPercent: Invalid value: \"string\": spec.predictor.canaryTrafficPercent in body must be of type integer: \"string\"",
		},
		{
			"min above max", predictor("minReplicas: 3, maxReplicas: 2"),
			"spec.predictor: Invalid value: minReplicas must not be more than maxReplicas",
		},
		{
			"fewer replicas than none", predictor("minReplicas: -1"),
			"spec.predictor.minReplicas: Invalid value: -1: minReplicas must not be negative; 0 lets a revision without requests go to zero",
		},
		{
			"a negative max", predictor("maxReplicas: -1"),
			"spec.predictor.maxReplicas: Invalid value: -1: maxReplicas must not be negative; 0 means no limit",
		},
		{
			"a scale target of 0", predictor("scaleTarget: 0"),
			"spec.predictor.scaleTarget: Invalid value: 0: scaleTarget must be 1 or more",
		},
		{
			"a scale metric of other autoscalers", predictor("scaleMetric: cpu"),
			"spec.predictor.scaleMetric: Invalid value: \"cpu\": scaleMetric must be concurrency or rps: Serin scales by requests, not by cpu or memory",
		},
		{
			"a negative concurrency", predictor("containerConcurrency: -1"),
			"spec.predictor.containerConcurrency: Invalid value: -1: containerConcurrency must be 0 to 1000000; 0 means no limit",
		},
		{
			"a timeout of 0", predictor("timeout: 0"),
			"spec.predictor.timeout: Invalid value: 0: timeout must be 1 to 86400 seconds",
		},
		{
			"a timeout of more than a day", predictor("timeout: 86401"),
			"spec.predictor.timeout: Invalid value: 86401: timeout must be 1 to 86400 seconds",
		},
		{
			"a container without an image", service("iris", "{predictor: {containers: [{name: mine}]}}"),
			"spec.predictor.containers: Invalid value: each container needs an image",
		},
		{
			"an init container without an image", predictor("initContainers: [{name: i}]"),
			"spec.predictor.initContainers: Invalid value: each init container needs an image",
		},
		{
			"a toleration of everything with a value", predictor("tolerations: [{key: a, operator: Exists, value: b}]"),
			"spec.predictor.tolerations: Invalid value: a toleration with operator Exists must have no value: remove it, or write operator Equal",
		},
		{
			"a variable with two values", model("env: [{name: A, value: b, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]"),
			"spec.predictor.model: Invalid value: a variable in env has both value and valueFrom: keep one of them",
		},
		{
			"a port's name of 16 letters", model("ports: [{containerPort: 9000, name: abcdefghijklmnop}]"),
			"spec.predictor.model.ports[0].name: Too long: may not be more than 15 bytes",
		},
		{
			"a volume where the model is", model("storageUri: " + iris + ", volumeMounts: [{name: v, mountPath: /mnt/models}]"),
			"spec.predictor.model: Invalid value: /mnt/models is where the model of storageUri is: mount your volume elsewhere",
		},
		{
			"a misspelt field", predictor("canaryTrafficPercentage: 10"),
			"unknown field spec.predictor.canaryTrafficPercentage",
		},
		{
			"a misspelt field in the model", model("storageURI: " + iris),
			"unknown field spec.predictor.model.storageURI",
		},
		{
			"a scheme that nobody fetches", model("storageUri: hf://owner/model"),
			"spec.predictor.model.storageUri: Invalid value: \"hf://owner/model\": storageUri must be gs://bucket/path, s3://bucket/path, https://host/file, http://host/file, file:///path, /path or pvc://claim/path, without blanks: no other storage works in Serin yet",
		},
		{
			"a bare word for a storage", model("storageUri: model"),
			"spec.predictor.model.storageUri: Invalid value: \"model\": storageUri must be gs://bucket/path, s3://bucket/path, https://host/file, http://host/file, file:///path, /path or pvc://claim/path, without blanks: no other storage works in Serin yet",
		},
		{
			"a refresh in words", predictor(`annotations: {serin.dev/refresh: "now, please"}`),
			refreshRule,
		},
		{
			"a refresh that writes to the terminal", predictor(`annotations: {serin.dev/refresh: "1\e[2J"}`),
			refreshRule,
		},
		{
			"a refresh of two lines", predictor(`annotations: {serin.dev/refresh: "1\n"}`),
			refreshRule,
		},
		{
			"a long refresh", predictor("annotations: {serin.dev/refresh: a" + strings.Repeat("b", 64) + "}"),
			refreshRule,
		},
		{
			"a name for the model's container", model("name: mine"),
			"spec.predictor.model: Invalid value: remove name: the container of a model is always kserve-container",
		},
		{
			"a name for a legacy form's container", service("iris", "{predictor: {sklearn: {name: mine}}}"),
			"spec.predictor.sklearn: Invalid value: remove name: the container of a model is always kserve-container",
		},
		{
			"an unknown protocol", model("protocolVersion: v3"),
			"spec.predictor.model.protocolVersion: Invalid value: \"v3\": protocolVersion must be v1, v2, grpc-v1 or grpc-v2",
		},
		{
			"a name that begins with a digit", service("2iris", "{predictor: {sklearn: {}}}"),
			"metadata.name: Invalid value: metadata.name must start with a letter and hold only lower-case letters, digits and hyphens, because host names are made from it",
		},
		{
			"a name with a dot", service("iris.v2", "{predictor: {sklearn: {}}}"),
			"metadata.name: Invalid value: metadata.name must start with a letter and hold only lower-case letters, digits and hyphens, because host names are made from it",
		},
		{
			"a name too long", service("a"+strings.Repeat("b", 53), "{predictor: {sklearn: {}}}"),
			"metadata.name: Invalid value: metadata.name must have at most 53 characters, because {name}-predictor is part of a host name",
		},
		{
			"transformer", service("iris", "{predictor: {sklearn: {}}, transformer: {containers: [{name: a}]}}"),
			"spec.transformer: Invalid value: a transformer does not work in Serin yet: call it from your client, or serve it as an InferenceService of its own",
		},
		{
			"explainer", service("iris", "{predictor: {sklearn: {}}, explainer: {art: {type: SquareAttack}}}"),
			"spec.explainer: Invalid value: an explainer does not work in Serin yet: remove it, or serve it as an InferenceService of its own",
		},
		{
			"a list of canaries", service("iris", "{predictor: {sklearn: {}}, canary: [{trafficPercent: 10, predictor: {name: b}}]}"),
			"spec.canary: Invalid value: a list of canaries does not work in Serin yet: use spec.predictor.canaryTrafficPercent, which splits traffic between the new and the previous revision",
		},
		{
			"logger", predictor("logger: {mode: all}"),
			"spec.predictor.logger: Invalid value: the payload logger does not work in Serin yet: remove logger, and log in your client or gateway",
		},
		{
			"batcher", predictor("batcher: {maxBatchSize: 8}"),
			"spec.predictor.batcher: Invalid value: the batcher does not work in Serin yet: remove batcher, and send several instances in one request",
		},
		{
			"workerSpec", predictor("workerSpec: {pipelineParallelSize: 2}"),
			"spec.predictor.workerSpec: Invalid value: a model spread over several nodes does not work in Serin yet: remove workerSpec",
		},
		{
			"predictor.name", predictor("name: blue"),
			"spec.predictor.name: Invalid value: \"blue\": naming a predictor belongs to KServe's list of canaries, which does not work in Serin yet: remove name and use canaryTrafficPercent",
		},
		{
			"storageContainerName", predictor("storageContainerName: mine"),
			"spec.predictor.storageContainerName: Invalid value: \"mine\": a storage container of your own does not work in Serin yet: remove storageContainerName",
		},
		{
			"confidential", predictor("confidential: {}"),
			"spec.predictor.confidential: Invalid value: confidential computing does not work in Serin yet: remove confidential",
		},
		{
			"scaleMetricType", predictor("scaleMetricType: Utilization"),
			"spec.predictor.scaleMetricType: Invalid value: \"Utilization\": scaleMetricType belongs to the HorizontalPodAutoscaler, which Serin does not use: remove it; scaleTarget is an average per replica",
		},
		{
			"autoScaling", predictor("autoScaling: {metrics: []}"),
			"spec.predictor.autoScaling: Invalid value: autoScaling belongs to KEDA and the HorizontalPodAutoscaler, which Serin does not use: set minReplicas, maxReplicas, scaleMetric and scaleTarget",
		},
		{
			"deploymentStrategy", predictor("deploymentStrategy: {type: Recreate}"),
			"spec.predictor.deploymentStrategy: Invalid value: deploymentStrategy has no meaning in Serin, which starts a new revision beside the old one: remove it, and use canaryTrafficPercent",
		},
		{
			"storageUris", model("storageUris: [{uri: " + iris + "}]"),
			"spec.predictor.model.storageUris: Invalid value: several storage URIs do not work in Serin yet: use storageUri, and keep the model in one folder",
		},
		{
			"storage", model("storage: {key: k, path: p}"),
			"spec.predictor.model.storage: Invalid value: storage (a key of the storage-config Secret) does not work in Serin yet: use storageUri",
		},
		{
			"storage in a legacy form", service("iris", "{predictor: {sklearn: {storage: {path: p}}}}"),
			"spec.predictor.sklearn.storage: Invalid value: storage (a key of the storage-config Secret) does not work in Serin yet: use storageUri",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := strings.Join(s.create(t, c.manifest), "\n")
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s\n(-want +got):\n%s", c.manifest, diff)
			}
		})
	}
}

func TestRuntimesAreChecked(t *testing.T) {
	const container = "containers: [{name: kserve-container, image: i}]"
	for _, c := range []struct{ name, spec, want string }{
		{"a runtime as KServe writes it", container + `, multiModel: false, disabled: false, protocolVersions: [v1, v2], annotations: {a: b},
			supportedModelFormats: [{name: sklearn, version: "1", autoSelect: true, priority: 1}], volumes: [{name: v, emptyDir: {}}]`, ""},
		{
			"no container", "supportedModelFormats: [{name: sklearn}]",
			"spec.containers: Required value",
		},
		{
			"no kserve-container", "containers: [{name: a, image: i}]",
			"spec: Invalid value: one of containers must be named kserve-container: it serves the model",
		},
		{
			"several models in one server", container + ", multiModel: true",
			"spec.multiModel: Invalid value: true: multiModel runtimes (ModelMesh) do not work in Serin: set multiModel to false, with a server for one model",
		},
		{
			"workerSpec", container + ", workerSpec: {pipelineParallelSize: 2}",
			"spec.workerSpec: Invalid value: a model spread over several nodes does not work in Serin yet: remove workerSpec",
		},
		{
			"builtInAdapter", container + ", builtInAdapter: {serverType: triton}",
			"spec.builtInAdapter: Invalid value: builtInAdapter belongs to ModelMesh, which Serin does not run: remove it",
		},
		{
			"storageHelper", container + ", storageHelper: {disabled: true}",
			"spec.storageHelper: Invalid value: storageHelper belongs to ModelMesh, which Serin does not run: remove it",
		},
		{
			"grpcEndpoint", container + ", grpcEndpoint: port:8001",
			"spec.grpcEndpoint: Invalid value: \"port:8001\": grpcEndpoint belongs to ModelMesh, which Serin does not run: remove it",
		},
		{
			"grpcDataEndpoint", container + ", grpcDataEndpoint: port:8001",
			"spec.grpcDataEndpoint: Invalid value: \"port:8001\": grpcDataEndpoint belongs to ModelMesh, which Serin does not run: remove it; gRPC goes to the port of kserve-container that is named grpc",
		},
		{
			"httpDataEndpoint", container + ", httpDataEndpoint: port:8001",
			"spec.httpDataEndpoint: Invalid value: \"port:8001\": httpDataEndpoint belongs to ModelMesh, which Serin does not run: remove it; requests go to the first port of kserve-container",
		},
		{
			"replicas", container + ", replicas: 2",
			"spec.replicas: Invalid value: 2: replicas belongs to ModelMesh, which Serin does not run: set minReplicas in the InferenceService",
		},
		{
			"a priority of 0", container + ", supportedModelFormats: [{name: sklearn, priority: 0}]",
			"spec.supportedModelFormats[0].priority: Invalid value: 0: priority must be 1 or more",
		},
		{
			"an unknown protocol", container + ", protocolVersions: [v3]",
			"spec.protocolVersions: Invalid value: protocolVersions must be among v1, v2, grpc-v1 and grpc-v2",
		},
		{
			"a misspelt field", container + ", supportedModelFormat: []",
			"unknown field spec.supportedModelFormat",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for kind, file := range map[string]string{"ServingRuntime": "servingruntimes.yaml", "ClusterServingRuntime": "clusterservingruntimes.yaml"} {
				manifest := fmt.Sprintf("{apiVersion: serving.kserve.io/v1alpha1, kind: %s, metadata: {name: r}, spec: {%s}}", kind, c.spec)
				got := strings.Join(newServer(t, file).create(t, manifest), "\n")
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", kind, diff)
				}
			}
		})
	}
}

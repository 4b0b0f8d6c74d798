// SPDX-License-Identifier: Apache-2.0

package render

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/v1beta1"
)

func TestSpecsThatCannotBecomePods(t *testing.T) {
	const sklearn = "model: {modelFormat: {name: sklearn}"
	for _, c := range []struct{ name, predictor, want string }{
		{
			"a template with a typing error", sklearn + `, args: ["--name={{.Nmae}}"]}`,
			`expand "--name={{.Nmae}}": ` + errRefused.Error(),
		},
		{
			"a template that asks for what is not there", sklearn + `, args: ["--team={{.Labels.team}}"]}`,
			`expand "--team={{.Labels.team}}": the service has no label "team"`,
		},
		{
			"a version for an image with a digest", sklearn + `, image: "i@sha256:0", runtimeVersion: "2"}`,
			"runtimeVersion cannot replace the digest of image i@sha256:0: set predictor.model.image instead",
		},
		{
			"our port", sklearn + `, ports: [{containerPort: 8012}]}`,
			"container kserve-container listens on port 8012, which queue-proxy needs: choose another",
		},
		{
			"our admin port", `containers: [{name: kserve-container, image: i}, {name: b, image: i, ports: [{containerPort: 8022}]}]`,
			"container b listens on port 8022, which queue-proxy needs: choose another",
		},
		{
			"our container", `containers: [{name: kserve-container, image: i}, {name: queue-proxy, image: i}]`,
			"the container name queue-proxy is reserved: choose another",
		},
		{
			"our init container", sklearn + `}, initContainers: [{name: storage-initializer, image: i}]`,
			"the container name storage-initializer is reserved: choose another",
		},
		{
			"our volume", sklearn + `}, volumes: [{name: kserve-provision-location}]`,
			"the volume name kserve-provision-location is reserved: choose another",
		},
		{
			"no claim", sklearn + `, storageUri: "pvc:///models"}`,
			"storageUri pvc:///models names no claim: write pvc://CLAIM/PATH",
		},
		{
			"no kserve-container", `containers: [{name: a, image: i}, {name: b, image: i}]`,
			"name one of predictor.containers kserve-container: it takes the requests",
		},
		{
			"nothing at all", `minReplicas: 1`,
			"name one of predictor.containers kserve-container: it takes the requests",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			isvc := &v1beta1.InferenceService{Spec: v1beta1.InferenceServiceSpec{Predictor: *predictor(t, "{"+c.predictor+"}")}}
			runtimes, cluster := installed(t, nil)
			_, err := Resolve(isvc, runtimes, cluster, Options{})
			var got *Invalid
			if !errors.As(err, &got) {
				t.Fatalf("error %T (%v), want *Invalid", err, err)
			}
			want := &Invalid{Reason: v1beta1.InvalidPredictorSpec, Message: c.want}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestARuntimeWithoutKServeContainerIsRefused(t *testing.T) {
	isvc := &v1beta1.InferenceService{Spec: v1beta1.InferenceServiceSpec{Predictor: *predictor(t, "sklearn: {}")}}
	_, cluster := installed(t, []byte("{kind: ClusterServingRuntime, metadata: {name: r}, spec: {supportedModelFormats: [{name: sklearn, autoSelect: true}], containers: [{name: a, image: i}]}}"))
	_, err := Resolve(isvc, nil, cluster, Options{})
	want := "the runtime has no container named kserve-container"
	if err == nil || err.Error() != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

func TestLimitsReachTheQueue(t *testing.T) {
	args := queueContainer(Options{Limits: []string{"stream-idle-timeout=1h"}}, ports{http: 8080}, 0, 300).Args
	if got := args[len(args)-1]; got != "--stream-idle-timeout=1h" {
		t.Errorf("the last argument is %s", got)
	}
}

func TestUsersArgumentsAreMergedIntoTheRuntimes(t *testing.T) {
	isvc := &v1beta1.InferenceService{Spec: v1beta1.InferenceServiceSpec{Predictor: *predictor(t,
		"{sklearn: {args: [--model_name, x, --workers=2, '--http_port=5000']}}")}}
	_, cluster := installed(t, nil)
	tmpl, err := Resolve(isvc, nil, cluster, Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"--model_name", "x", "--model_dir=/mnt/models", "--http_port=5000", "--workers=2"}
	if diff := cmp.Diff(want, tmpl.Pod.Spec.Containers[0].Args); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestUsersResourcesWin(t *testing.T) {
	const runtime = "{requests: {cpu: 1, memory: 2Gi}, limits: {cpu: 1, memory: 2Gi}}"
	for _, c := range []struct{ name, user, want string }{
		{"nothing said", "{}", runtime},
		{"a lower limit", "{limits: {memory: 1Gi}}", "{requests: {cpu: 1}, limits: {cpu: 1, memory: 1Gi}}"},
		{"a higher limit", "{limits: {memory: 3Gi}}", "{requests: {cpu: 1, memory: 2Gi}, limits: {cpu: 1, memory: 3Gi}}"},
		{"a higher request", "{requests: {cpu: 2}}", "{requests: {cpu: 2, memory: 2Gi}, limits: {memory: 2Gi}}"},
		{"a lower request", "{requests: {cpu: 100m}}", "{requests: {cpu: 100m, memory: 2Gi}, limits: {cpu: 1, memory: 2Gi}}"},
		{"a contradiction of the user's own", "{requests: {cpu: 3}, limits: {cpu: 2}}", "{requests: {cpu: 3, memory: 2Gi}, limits: {cpu: 2, memory: 2Gi}}"},
		{"another resource", "{limits: {nvidia.com/gpu: 1}}", "{requests: {cpu: 1, memory: 2Gi}, limits: {cpu: 1, memory: 2Gi, nvidia.com/gpu: 1}}"},
	} {
		t.Run(c.name, func(t *testing.T) {
			base := corev1.Container{Name: v1beta1.ContainerModel, Resources: *decode[corev1.ResourceRequirements](t, []byte(runtime))}
			m := &v1beta1.ModelSpec{}
			m.Resources = *decode[corev1.ResourceRequirements](t, []byte(c.user))
			out, err := mergedContainer(base, m, "")
			if err != nil {
				t.Fatal(err)
			}
			got, err := yaml.Marshal(out.Resources)
			if err != nil {
				t.Fatal(err)
			}
			want, err := yaml.Marshal(decode[corev1.ResourceRequirements](t, []byte(c.want)))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

func TestRuntimeVersionReplacesTheTag(t *testing.T) {
	for image, want := range map[string]string{
		"server":                      "server:2",
		"server:1":                    "server:2",
		"example.com:5000/a/server":   "example.com:5000/a/server:2",
		"example.com:5000/a/server:1": "example.com:5000/a/server:2",
	} {
		if got, err := withTag(image, "2"); got != want || err != nil {
			t.Errorf("withTag(%q) = %q, %v; want %q", image, got, err, want)
		}
	}
}

func TestAUsersVariableReplacesTheRuntimesWhole(t *testing.T) {
	base := corev1.Container{Name: v1beta1.ContainerModel, Env: []corev1.EnvVar{
		{Name: "A", Value: "1"},
		{Name: "B", ValueFrom: &corev1.EnvVarSource{ResourceFieldRef: &corev1.ResourceFieldSelector{Resource: "limits.memory"}}},
	}}
	m := &v1beta1.ModelSpec{}
	m.Env = []corev1.EnvVar{{Name: "B", Value: "2"}, {Name: "C", Value: "3"}}
	out, err := mergedContainer(base, m, "")
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]corev1.EnvVar{}
	for _, e := range out.Env {
		got[e.Name] = e
	}
	want := map[string]corev1.EnvVar{"A": base.Env[0], "B": m.Env[0], "C": m.Env[1]}
	if diff := cmp.Diff(want, got); diff != "" || len(out.Env) != 3 {
		t.Errorf("%d variables, -want +got:\n%s", len(out.Env), diff)
	}
}

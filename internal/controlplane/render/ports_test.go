// SPDX-License-Identifier: Apache-2.0

package render

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// told returns where the model server of a predictor listens: what the queue and the
// probes are told, and the declared ports.
func told(t *testing.T, predictorSpec, runtimes string) string {
	t.Helper()
	isvc := &v1beta1.InferenceService{Spec: v1beta1.InferenceServiceSpec{Predictor: *predictor(t, predictorSpec)}}
	isvc.Name = "iris"
	_, cluster := installed(t, []byte(runtimes))
	tmpl, err := Resolve(isvc, nil, cluster, Options{})
	if err != nil {
		return err.Error()
	}
	pod := &tmpl.Pod.Spec
	var out []string
	queue := pod.Containers[slices.IndexFunc(pod.Containers, func(c corev1.Container) bool { return c.Name == v1beta1.ContainerQueue })]
	for _, arg := range queue.Args {
		if strings.HasPrefix(arg, "--user") || strings.Contains(arg, "grpc") {
			out = append(out, arg)
		}
	}
	model := &pod.Containers[0]
	for name, p := range map[string]*corev1.Probe{"ready": model.ReadinessProbe, "live": model.LivenessProbe} {
		switch {
		case p == nil:
		case p.TCPSocket != nil:
			out = append(out, name+" tcp "+p.TCPSocket.Port.String())
		case p.HTTPGet != nil:
			out = append(out, name+" http "+p.HTTPGet.Port.String())
		case p.GRPC != nil:
			out = append(out, fmt.Sprint(name, " grpc ", p.GRPC.Port))
		}
	}
	for _, p := range model.Ports {
		out = append(out, fmt.Sprint("port ", p.ContainerPort))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func TestEachProtocolHasItsPort(t *testing.T) {
	const one = "--user-port=8080, ready tcp 8080"
	for _, c := range []struct{ name, container, want string }{
		{"no ports", "", one},
		{"one port", "ports: [{containerPort: 5000}]", "--user-port=5000, port 5000, ready tcp 5000"},
		{"one port of gRPC", "ports: [{containerPort: 9000, name: h2c}]", "--user-port=9000, port 9000, ready tcp 9000"},
		{"two ports", "ports: [{containerPort: 8080, name: http1}, {containerPort: 9000, name: h2c}]", "--grpc-port=9000, --probe-grpc, --user-port=8080, port 8080, port 9000, ready tcp 8080"},
		{"gRPC first", "ports: [{containerPort: 9000, name: grpc-port}, {containerPort: 8000, name: metrics}, {containerPort: 8080, name: http}]", "--grpc-port=9000, --probe-grpc, --user-port=8080, port 8000, port 8080, port 9000, ready tcp 8080"},
		{"gRPC first, and no name", "ports: [{containerPort: 9000, name: grpc}, {containerPort: 8080}]", "--grpc-port=9000, --probe-grpc, --user-port=8080, port 8080, port 9000, ready tcp 8080"},
		{"metrics beside gRPC are no HTTP", "ports: [{containerPort: 9000, name: grpc}, {containerPort: 8000, name: metrics}]", "--user-port=9000, port 8000, port 9000, ready tcp 9000"},
		{"metrics beside HTTP are no gRPC", "ports: [{containerPort: 8080, name: http1}, {containerPort: 8000, name: metrics}]", "--user-port=8080, port 8000, port 8080, ready tcp 8080"},
		{"UDP", "ports: [{containerPort: 53, protocol: UDP}, {containerPort: 8080, name: http1}]", "--user-port=8080, port 53, port 8080, ready tcp 8080"},
		{"a probe of the user's", "readinessProbe: {grpc: {port: 9000}}, ports: [{containerPort: 8080}, {containerPort: 9000, name: h2c}]", "--grpc-port=9000, --user-port=8080, port 8080, port 9000, ready grpc 9000"},
		{"flags of KServe's server", "args: [--http_port=5000, --grpc_port, '5001']", "--grpc-port=5001, --user-port=5000, ready tcp 5000"},
		{"flags in the command", "command: [/bin/server, --http_port=5000]", "--user-port=5000, ready tcp 5000"},
		{"flags and ports of an unknown server", "args: [--http_port=5000], ports: [{containerPort: 8080}]", "--user-port=8080, port 8080, ready tcp 8080"},
		{"the same port twice", "args: [--http_port=5000, --grpc_port=5000]", "--user-port=5000, ready tcp 5000"},
		{"a variable", "args: [--http_port=$(PORT)]", one},
		{"no port", "args: [--http_port=web]", `--http_port of kserve-container is "web": it must be a port from 1 to 65535`},
		{"a free port", "args: [--http_port=0]", `--http_port of kserve-container is "0": it must be a port from 1 to 65535`},
		{"no number", "args: [--http_port]", one},
		{"the queue's port", "args: [--grpc_port=8012]", "container kserve-container listens on port 8012, which queue-proxy needs: choose another"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, told(t, "{containers: [{name: kserve-container, image: i, "+c.container+"}]}", "")); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// runtimeOf is a runtime of one of KServe's servers, as published.
func runtimeOf(name, container string) string {
	return "{kind: ClusterServingRuntime, metadata: {name: kserve-" + name + "}, spec: {supportedModelFormats: [{name: f, autoSelect: true}], " +
		"containers: [{name: kserve-container, image: i, " + container + "}]}}"
}

func TestPortsOfKServesRuntimes(t *testing.T) {
	const (
		sklearn = `args: ["--model_name={{.Name}}", --model_dir=/mnt/models, --http_port=8080]`
		triton  = "args: [tritonserver, --model-store=/mnt/models, --grpc-port=9000, --http-port=8080, --allow-grpc=true, --allow-http=true]"
		mls     = "env: [{name: MLSERVER_HTTP_PORT, value: '8080'}, {name: MLSERVER_GRPC_PORT, value: '9000'}]"
		tf      = "command: [/usr/bin/tensorflow_model_server], args: [--port=9000, --rest_api_port=8080]"
		ovms    = "args: [--port=9000, --rest_port=8080]"
	)
	for _, c := range []struct{ name, server, container, model, want string }{
		{"KServe's server", "sklearnserver", sklearn, "", "--grpc-port=8081, --user-port=8080, ready tcp 8080"},
		{"KServe's server without flags", "huggingfaceserver", "args: []", "", "--grpc-port=8081, --user-port=8080, ready tcp 8080"},
		{"another port", "sklearnserver", sklearn, "args: [--http_port=5000]", "--grpc-port=8081, --user-port=5000, ready tcp 5000"},
		{"both", "sklearnserver", sklearn, "args: [--http_port, '5000', --grpc_port, '5001']", "--grpc-port=5001, --user-port=5000, ready tcp 5000"},
		{"without gRPC", "sklearnserver", sklearn, "args: [--enable_grpc=False]", "--user-port=8080, ready tcp 8080"},
		{"KServe's sample for gRPC", "sklearnserver", sklearn, "protocolVersion: grpc-v2, ports: [{name: h2c, containerPort: 8081}]", "--grpc-port=8081, --probe-grpc, --user-port=8080, port 8081, ready tcp 8080"},
		{"gRPC as the protocol", "sklearnserver", sklearn, "protocolVersion: grpc-v2", "--grpc-port=8081, --probe-grpc, --user-port=8080, ready tcp 8080"},
		{"ports and probes of the runtime follow", "sklearnserver", sklearn + ", ports: [{containerPort: 8080, name: http1}, {containerPort: 8081, name: h2c}], readinessProbe: {httpGet: {port: 8080, path: /}}, livenessProbe: {tcpSocket: {port: http1}}", "args: [--http_port=5000, --grpc_port=5001]", "--grpc-port=5001, --user-port=5000, live tcp http1, port 5000, port 5001, ready http 5000"},
		{"the user's own do not", "sklearnserver", sklearn, "args: [--http_port=5000], livenessProbe: {tcpSocket: {port: 8080}}", "--grpc-port=8081, --user-port=5000, live tcp 8080, ready tcp 5000"},
		{"MLServer", "mlserver", mls, "", "--grpc-port=9000, --user-port=8080, ready http 8080"},
		{"MLServer with a word that is no flag", "mlserver", mls, "args: [start, grpc=off]", "--grpc-port=9000, --user-port=8080, ready http 8080"},
		{"MLServer's variables", "mlserver", mls, "env: [{name: MLSERVER_HTTP_PORT, value: '5000'}]", "--grpc-port=9000, --user-port=5000, ready http 5000"},
		{"Triton", "tritonserver", triton, "", "--grpc-port=9000, --user-port=8080, ready tcp 8080"},
		{"KServe's sample for Triton", "tritonserver", triton, "protocolVersion: grpc-v2, ports: [{name: h2c, containerPort: 9000}]", "--grpc-port=9000, --probe-grpc, --user-port=8080, port 9000, ready tcp 8080"},
		{"Triton without gRPC", "tritonserver", triton, "args: [--allow-grpc=false]", "--user-port=8080, ready tcp 8080"},
		{"TensorFlow Serving", "tensorflow-serving", tf, "args: [--rest_api_port=5000]", "--grpc-port=9000, --user-port=5000, ready tcp 5000"},
		{"OpenVINO", "openvino", ovms, "", "--grpc-port=9000, --user-port=8080, ready tcp 8080"},
		{"TorchServe reads a file", "torchserve", "args: [torchserve]", "ports: [{name: h2c, containerPort: 7070}]", "--user-port=7070, port 7070, ready tcp 7070"},
		{"a template", "sklearnserver", "args: ['--http_port={{.Name}}']", "", `--http_port of kserve-container is "iris": it must be a port from 1 to 65535`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := told(t, "{model: {modelFormat: {name: f}, "+c.model+"}}", runtimeOf(c.server, c.container))
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

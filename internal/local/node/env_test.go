// SPDX-License-Identifier: Apache-2.0

package node

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/yaml"
)

// stored is a source of a few objects.
type stored struct {
	maps    map[string]map[string]string
	secrets map[string]map[string]string
}

func (s stored) configMap(name string) (*corev1.ConfigMap, error) {
	data, ok := s.maps[name]
	if !ok {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "configmaps"}, name)
	}
	return &corev1.ConfigMap{Data: data}, nil
}

func (s stored) secret(name string) (*corev1.Secret, error) {
	data, ok := s.secrets[name]
	if !ok {
		return nil, apierrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, name)
	}
	out := &corev1.Secret{Data: map[string][]byte{}}
	for k, value := range data {
		out.Data[k] = []byte(value)
	}
	return out, nil
}

func TestEnvironment(t *testing.T) {
	src := stored{
		maps:    map[string]map[string]string{"conf": {"A": "a", "B": "b"}},
		secrets: map[string]map[string]string{"keys": {"token": "t0p"}},
	}
	for name, c := range map[string]struct {
		container string // YAML
		want      map[string]string
		err       string
	}{
		"values see what stands above them and what the node gives": {
			"env: [{name: ONE, value: '1'}, {name: TWO, value: '$(ONE)$(POD_IP)$(NONE)$$(ONE)'}]",
			map[string]string{"ONE": "1", "TWO": "1127.1.2.3$(NONE)$(ONE)"},
			"",
		},
		"envFrom comes first, with its prefix": {
			"envFrom: [{prefix: X_, configMapRef: {name: conf}}, {secretRef: {name: keys}}]\nenv: [{name: X_A, value: mine}]",
			map[string]string{"X_A": "mine", "X_B": "b", "token": "t0p"},
			"",
		},
		"fields": {
			`env:
- {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: L, valueFrom: {fieldRef: {fieldPath: "metadata.labels['app.kubernetes.io/name']"}}}
- {name: I, valueFrom: {fieldRef: {fieldPath: status.podIP}}}`,
			map[string]string{"NAME": "web", "L": "shop", "I": "127.1.2.3"},
			"",
		},
		"resources are rounded up, and a missing limit is the machine's": {
			`resources: {requests: {cpu: 1500m, memory: 1500Ki}}
env:
- {name: CPU, valueFrom: {resourceFieldRef: {resource: requests.cpu}}}
- {name: MILLI, valueFrom: {resourceFieldRef: {resource: requests.cpu, divisor: 1m}}}
- {name: MEM, valueFrom: {resourceFieldRef: {resource: requests.memory, divisor: 1Mi}}}
- {name: LIMIT, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}`,
			map[string]string{"CPU": "2", "MILLI": "1500", "MEM": "2", "LIMIT": "8"},
			"",
		},
		"keys": {
			`env:
- {name: A, valueFrom: {configMapKeyRef: {name: conf, key: A}}}
- {name: T, valueFrom: {secretKeyRef: {name: keys, key: token}}}
- {name: O, valueFrom: {configMapKeyRef: {name: nowhere, key: x, optional: true}}}
- {name: P, valueFrom: {secretKeyRef: {name: keys, key: x, optional: true}}}`,
			map[string]string{"A": "a", "T": "t0p"},
			"",
		},
		"optional sources may be absent": {
			"envFrom: [{configMapRef: {name: nowhere, optional: true}}]", map[string]string{}, "",
		},
		"a missing key": {
			"env: [{name: A, valueFrom: {configMapKeyRef: {name: conf, key: Z}}}]", nil, `env A: config map "conf" has no key "Z"`,
		},
		"a missing secret": {
			"env: [{name: A, valueFrom: {secretKeyRef: {name: nowhere, key: Z}}}]", nil, `env A: secrets "nowhere" not found`,
		},
		"a missing source": {
			"envFrom: [{configMapRef: {name: nowhere}}]", nil, `configmaps "nowhere" not found`,
		},
		"an unknown field": {
			"env: [{name: A, valueFrom: {fieldRef: {fieldPath: spec.tolerations}}}]", nil, `env A: the field "spec.tolerations" is not available`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			pod := &corev1.Pod{}
			pod.Name, pod.Labels = "web", map[string]string{"app.kubernetes.io/name": "shop"}
			pod.Status.PodIP = "127.1.2.3"
			spec := corev1.Container{Name: "main"}
			if err := yaml.UnmarshalStrict([]byte(c.container), &spec); err != nil {
				t.Fatal(err)
			}
			pod.Spec.Containers = []corev1.Container{spec}
			capacity := corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("8")}
			got, err := environment(pod, &spec, map[string]string{"POD_IP": "127.1.2.3"}, capacity, src)
			if msg := errorText(err); msg != c.err {
				t.Fatalf("error %q, want %q", msg, c.err)
			}
			if c.want != nil {
				c.want["POD_IP"] = "127.1.2.3"
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

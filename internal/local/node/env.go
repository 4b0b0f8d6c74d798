// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"
)

// source reads the objects that a Pod's environment and volumes are made of.
type source interface {
	configMap(name string) (*corev1.ConfigMap, error)
	secret(name string) (*corev1.Secret, error)
}

// environment is the environment of one container as its Pod spells it: variables of the node in
// given, then envFrom, then env. Paths are still those of the container.
func environment(pod *corev1.Pod, c *corev1.Container, given map[string]string, capacity corev1.ResourceList, src source) (map[string]string, error) {
	result := maps.Clone(given)
	for _, from := range c.EnvFrom {
		values, err := envFrom(from, src)
		if err != nil {
			return nil, err
		}
		for k, value := range values {
			result[from.Prefix+k] = value
		}
	}
	// As in any cluster, $(NAME) sees what stands above it in env, and not envFrom.
	above := map[string]string{}
	mapping := expansion.MappingFuncFor(above, given)
	for _, e := range c.Env {
		value := expansion.Expand(e.Value, mapping)
		if e.ValueFrom != nil {
			var ok bool
			var err error
			if value, ok, err = envValue(pod, c, e.ValueFrom, capacity, src); err != nil {
				return nil, fmt.Errorf("env %s: %w", e.Name, err)
			} else if !ok {
				continue
			}
		}
		above[e.Name] = value
		result[e.Name] = value
	}
	return result, nil
}

func envFrom(from corev1.EnvFromSource, src source) (map[string]string, error) {
	switch {
	case from.ConfigMapRef != nil:
		cm, err := src.configMap(from.ConfigMapRef.Name)
		if absent(err, from.ConfigMapRef.Optional) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		return cm.Data, nil
	case from.SecretRef != nil:
		secret, err := src.secret(from.SecretRef.Name)
		if absent(err, from.SecretRef.Optional) {
			return nil, nil
		} else if err != nil {
			return nil, err
		}
		values := map[string]string{}
		for k, value := range secret.Data {
			values[k] = string(value)
		}
		return values, nil
	}
	return nil, nil
}

// envValue resolves one valueFrom; ok is false for an optional key that does not exist.
func envValue(pod *corev1.Pod, c *corev1.Container, from *corev1.EnvVarSource, capacity corev1.ResourceList, src source) (value string, ok bool, err error) {
	switch {
	case from.FieldRef != nil:
		value, err = fieldValue(pod, from.FieldRef.FieldPath)
		return value, err == nil, err
	case from.ResourceFieldRef != nil:
		value, err = resourceValue(pod, c.Name, from.ResourceFieldRef, capacity)
		return value, err == nil, err
	case from.ConfigMapKeyRef != nil:
		ref := from.ConfigMapKeyRef
		cm, err := src.configMap(ref.Name)
		if err == nil {
			value, ok = cm.Data[ref.Key]
		}
		return keyed(value, ok, err, ref.Optional, "config map", ref.Name, ref.Key)
	case from.SecretKeyRef != nil:
		ref := from.SecretKeyRef
		secret, err := src.secret(ref.Name)
		if err == nil {
			var data []byte
			data, ok = secret.Data[ref.Key]
			value = string(data)
		}
		return keyed(value, ok, err, ref.Optional, "secret", ref.Name, ref.Key)
	}
	return "", false, fmt.Errorf("this node does not know the kind of valueFrom")
}

func keyed(value string, ok bool, err error, optional *bool, kind, name, key string) (string, bool, error) {
	switch {
	case ok || absent(err, optional):
		return value, ok, nil
	case err != nil:
		return "", false, err
	case optional != nil && *optional:
		return "", false, nil
	}
	return "", false, fmt.Errorf("%s %q has no key %q", kind, name, key)
}

// absent reports whether err only means that something optional does not exist.
func absent(err error, optional *bool) bool {
	return apierrors.IsNotFound(err) && optional != nil && *optional
}

// fieldValue reads a field of the downward API.
func fieldValue(pod *corev1.Pod, field string) (string, error) {
	if name, key, ok := subscript(field); ok {
		switch name {
		case "metadata.labels":
			return pod.Labels[key], nil
		case "metadata.annotations":
			return pod.Annotations[key], nil
		}
	}
	switch field {
	case "metadata.name":
		return pod.Name, nil
	case "metadata.namespace":
		return pod.Namespace, nil
	case "metadata.uid":
		return string(pod.UID), nil
	case "metadata.labels":
		return keyValues(pod.Labels), nil
	case "metadata.annotations":
		return keyValues(pod.Annotations), nil
	case "spec.nodeName":
		return pod.Spec.NodeName, nil
	case "spec.serviceAccountName":
		return pod.Spec.ServiceAccountName, nil
	case "status.hostIP", "status.hostIPs":
		return hostAddress, nil
	case "status.podIP", "status.podIPs":
		return pod.Status.PodIP, nil
	}
	return "", fmt.Errorf("the field %q is not available", field)
}

// subscript splits name['key'].
func subscript(field string) (name, key string, ok bool) {
	name, rest, ok := strings.Cut(field, "['")
	if !ok || !strings.HasSuffix(rest, "']") {
		return "", "", false
	}
	return name, strings.TrimSuffix(rest, "']"), true
}

// keyValues writes labels or annotations as a downward volume shows them.
func keyValues(m map[string]string) string {
	var b strings.Builder
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%s=%q", k, m[k])
	}
	return b.String()
}

// resourceValue is a request or limit of a container, rounded up to whole divisors. A limit that
// is not set is all that the node has.
func resourceValue(pod *corev1.Pod, container string, ref *corev1.ResourceFieldSelector, capacity corev1.ResourceList) (string, error) {
	if ref.ContainerName != "" {
		container = ref.ContainerName
	}
	c := specOf(pod, container)
	if c == nil {
		return "", fmt.Errorf("the Pod has no container %q", container)
	}
	kind, name, _ := strings.Cut(ref.Resource, ".")
	var quantity resource.Quantity
	switch kind {
	case "limits":
		var ok bool
		if quantity, ok = c.Resources.Limits[corev1.ResourceName(name)]; !ok {
			quantity = capacity[corev1.ResourceName(name)]
		}
	case "requests":
		quantity = c.Resources.Requests[corev1.ResourceName(name)]
	default:
		return "", fmt.Errorf("the resource %q is not available", ref.Resource)
	}
	divisor := ref.Divisor
	if divisor.IsZero() {
		divisor = resource.MustParse("1")
	}
	value, by := quantity.Value(), divisor.Value()
	if name == string(corev1.ResourceCPU) {
		value, by = quantity.MilliValue(), divisor.MilliValue()
	}
	return strconv.FormatInt((value+by-1)/by, 10), nil
}

// specOf finds a container of any kind by name.
func specOf(pod *corev1.Pod, name string) *corev1.Container {
	for _, list := range [][]corev1.Container{pod.Spec.InitContainers, pod.Spec.Containers} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}

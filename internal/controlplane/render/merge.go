// SPDX-License-Identifier: Apache-2.0

package render

import (
	"encoding/json"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/strategicpatch"

	"github.com/serin-dev/serin/api/v1alpha1"
	"github.com/serin-dev/serin/api/v1beta1"
)

// mergedPod is the Pod of the runtime with the user's changes, before
// anything of ours goes in. kserve-container comes first.
func mergedPod(isvc *v1beta1.InferenceService, r *v1alpha1.ServingRuntimeSpec, server string) (*corev1.PodSpec, error) {
	p := &isvc.Spec.Predictor
	var base, user, merged corev1.PodSpec
	mustRoundTrip(r.RuntimePodSpec, &base)
	mustRoundTrip(plainPod(p.PodSpec), &user)
	containers := base.Containers
	base.Containers, user.Containers = nil, nil
	if err := merge(base, user, &merged); err != nil {
		return nil, err
	}
	m := p.ModelOrLegacy()
	if m == nil {
		containers, err := customContainers(p.Containers)
		merged.Containers = containers
		return &merged, err
	}
	i := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == v1beta1.ContainerModel })
	if i < 0 {
		return nil, invalidf(v1beta1.InvalidPredictorSpec, "the runtime has no container named %s", v1beta1.ContainerModel)
	}
	model, err := mergedContainer(containers[i], m, server)
	if err != nil {
		return nil, err
	}
	if err := expand(model, isvc.ObjectMeta); err != nil {
		return nil, err
	}
	merged.Containers = slices.Concat([]corev1.Container{*model}, slices.Delete(slices.Clone(containers), i, i+1))
	return &merged, nil
}

// mergedContainer is the runtime's container with the user's fields on top:
// merged by name as kubectl patch does, args by flag.
func mergedContainer(base corev1.Container, m *v1beta1.ModelSpec, server string) (*corev1.Container, error) {
	user := m.Container.DeepCopy()
	user.Name = base.Name
	args := mergedArgs(base.Args, m.Args)
	told := base
	told.Args, told.Env = args, slices.Concat(base.Env, m.Env)
	from, err1 := portsOf(&base, server)
	to, err2 := portsOf(&told, server)
	if err1 == nil && err2 == nil { // otherwise a port is a template, or inject refuses it
		base = moved(base, from, to)
	}
	user.Args = nil
	out := &corev1.Container{}
	if err := merge(base, user, out); err != nil {
		return nil, err
	}
	out.Args = args
	settle(&out.Resources, user.Resources)
	for _, mine := range user.Env { // a value does not go with the runtime's valueFrom
		i := slices.IndexFunc(out.Env, func(e corev1.EnvVar) bool { return e.Name == mine.Name })
		out.Env[i] = mine
	}
	if m.RuntimeVersion != nil {
		image, err := withTag(out.Image, *m.RuntimeVersion)
		if err != nil {
			return nil, err
		}
		out.Image = image
	}
	return out, nil
}

// settle removes the runtime's request or limit where the user's other half
// contradicts it: a request above its limit would be refused.
func settle(merged *corev1.ResourceRequirements, user corev1.ResourceRequirements) {
	for name, limit := range merged.Limits {
		request, ok := merged.Requests[name]
		if !ok || request.Cmp(limit) <= 0 {
			continue
		}
		_, userRequest := user.Requests[name]
		_, userLimit := user.Limits[name]
		switch {
		case userLimit && !userRequest:
			delete(merged.Requests, name)
		case userRequest && !userLimit:
			delete(merged.Limits, name)
		}
	}
}

// customContainers is the user's own list with kserve-container first. A
// lone container need not have that name.
func customContainers(containers []corev1.Container) ([]corev1.Container, error) {
	c := modelContainer(containers)
	if c == nil {
		return nil, invalidf(v1beta1.InvalidPredictorSpec,
			"name one of predictor.containers %s: it takes the requests", v1beta1.ContainerModel)
	}
	rest := slices.DeleteFunc(slices.Clone(containers), func(o corev1.Container) bool { return o.Name == c.Name })
	model := *c.DeepCopy()
	model.Name = v1beta1.ContainerModel
	return slices.Concat([]corev1.Container{model}, rest), nil
}

// modelContainer finds the container that takes the requests, or nil.
func modelContainer(containers []corev1.Container) *corev1.Container {
	if len(containers) == 1 {
		return &containers[0]
	}
	i := slices.IndexFunc(containers, func(c corev1.Container) bool { return c.Name == v1beta1.ContainerModel })
	if i < 0 {
		return nil
	}
	return &containers[i]
}

// merge lays patch over base, as a strategic merge patch does.
func merge[T any](base, patch any, out *T) error {
	b, err := json.Marshal(base)
	if err != nil {
		return invalidf(v1beta1.InvalidPredictorSpec, "read the runtime: %v", err)
	}
	p, err := json.Marshal(patch)
	if err != nil {
		return invalidf(v1beta1.InvalidPredictorSpec, "read the predictor: %v", err)
	}
	merged, err := strategicpatch.StrategicMergePatch(b, p, *out)
	if err == nil {
		err = json.Unmarshal(merged, out)
	}
	if err != nil {
		return invalidf(v1beta1.InvalidPredictorSpec, "merge the predictor into the runtime: %v", err)
	}
	return nil
}

// withTag replaces the tag of an image.
func withTag(image, tag string) (string, error) {
	if strings.Contains(image, "@") {
		return "", invalidf(v1beta1.InvalidPredictorSpec,
			"runtimeVersion cannot replace the digest of image %s: set predictor.model.image instead", image)
	}
	slash := strings.LastIndex(image, "/")
	if colon := strings.LastIndex(image, ":"); colon > slash {
		image = image[:colon]
	}
	return image + ":" + tag, nil
}

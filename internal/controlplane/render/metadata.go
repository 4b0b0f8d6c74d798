// SPDX-License-Identifier: Apache-2.0

package render

import (
	"maps"
	"strconv"

	corev1 "k8s.io/api/core/v1"

	"github.com/serin-dev/serin/api/v1alpha1"
	"github.com/serin-dev/serin/api/v1beta1"
)

// podMetadata is the labels and annotations of a revision's Pods: the
// component's win over the service's, which win over the runtime's.
func podMetadata(isvc *v1beta1.InferenceService, r *v1alpha1.ServingRuntimeSpec) (labels, annotations map[string]string) {
	join := func(runtime, service, component map[string]string) map[string]string {
		out := map[string]string{}
		for _, m := range []map[string]string{runtime, service, component} {
			maps.Copy(out, withoutControl(m))
		}
		return out
	}
	p := &isvc.Spec.Predictor
	annotations = join(r.Annotations, isvc.Annotations, p.Annotations)
	// For people, as KServe does: what the revision was made to scale by. The
	// autoscaler reads the service.
	if p.ScaleMetric != nil {
		annotations[v1beta1.PrefixAutoscaling+"metric"] = string(*p.ScaleMetric)
	}
	if p.ScaleTarget != nil {
		annotations[v1beta1.PrefixAutoscaling+"target"] = strconv.Itoa(int(*p.ScaleTarget))
	}
	return join(r.Labels, isvc.Labels, p.Labels), annotations
}

// IsControl reports whether an annotation controls Serin or the autoscaler: it
// neither reaches Pods nor makes a revision.
func IsControl(annotation string) bool {
	switch annotation {
	case v1beta1.AnnotationRefresh:
		return false // it asks for another revision
	case v1beta1.AnnotationTagRouting, v1beta1.AnnotationStop, corev1.LastAppliedConfigAnnotation:
		return true
	}
	return v1beta1.SetsSerin(annotation)
}

// withoutControl returns annotations without those that control Serin.
func withoutControl(annotations map[string]string) map[string]string {
	out := maps.Clone(annotations)
	maps.DeleteFunc(out, func(k, _ string) bool { return IsControl(k) })
	return out
}

// withoutVisibility returns labels without those that decide who may reach a
// service, which the routers read: no Pod restarts for them.
func withoutVisibility(labels map[string]string) map[string]string {
	out := maps.Clone(labels)
	for _, key := range v1beta1.VisibilityLabels {
		delete(out, key)
	}
	return out
}

// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
)

// covered reports whether the object already is as it should be.
func (o wanted) covered() (bool, error) {
	if o.current == nil {
		return false, nil
	}
	return covers(o.current, o.object)
}

// covers reports whether current is as desired. The API server adds defaults, so
// fields that desired does not mention do not count. Serin's own annotations and
// the data of a ConfigMap do: one too many is a difference.
func covers(current client.Object, desired runtime.ApplyConfiguration) (bool, error) {
	have, err := runtime.DefaultUnstructuredConverter.ToUnstructured(current)
	if err != nil {
		return false, fmt.Errorf("convert %T %s: %w", current, current.GetName(), err)
	}
	want, err := runtime.DefaultUnstructuredConverter.ToUnstructured(desired)
	if err != nil {
		return false, fmt.Errorf("convert %T: %w", desired, err)
	}
	delete(want, "apiVersion") // cached objects do not hold their kind
	delete(want, "kind")
	wanted, _, _ := unstructured.NestedStringMap(want, "metadata", "annotations")
	for k := range current.GetAnnotations() {
		if _, ok := wanted[k]; !ok && v1beta1.SetsSerin(k) {
			return false, nil
		}
	}
	if models, ok := current.(*corev1.ConfigMap); ok {
		if data, _, _ := unstructured.NestedStringMap(want, "data"); !maps.Equal(models.Data, data) {
			return false, nil
		}
	}
	return includes(have, want), nil
}

// includes reports whether have holds every field of the objects in want. Lists
// have the same length, and each element includes its counterpart.
func includes(have, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		have, ok := have.(map[string]any)
		for k, v := range want {
			if !ok || !includes(have[k], v) {
				return false
			}
		}
		return ok
	case []any:
		have, ok := have.([]any)
		return ok && slices.EqualFunc(have, want, includes)
	}
	return equality.Semantic.DeepEqual(have, want)
}

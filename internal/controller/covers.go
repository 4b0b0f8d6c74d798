// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
)

// covered says whether the object already is as wanted.
func (o wanted) covered() (bool, error) {
	if o.current == nil {
		return false, nil
	}
	return covers(o.current, o.object)
}

// covers says whether current already is as desired says. The API server adds
// defaults, so fields that desired does not mention do not count, except our
// own annotations: one of them too many is a difference.
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
		if _, ok := wanted[k]; !ok && (strings.HasPrefix(k, "serin.dev/") || strings.HasPrefix(k, v1beta1.PrefixAutoscaling)) {
			return false, nil
		}
	}
	return includes(have, want), nil
}

// includes says whether have holds all of want: every field of an object, and
// every element of a list in its place.
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

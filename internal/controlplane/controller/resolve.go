// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1alpha1"
	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/render"
	"github.com/serin-dev/serin/internal/controlplane/rollout"
)

// resolve finds the template of the current spec. If a revision has it already,
// its template is used, even if the runtime has changed since.
func (r *reconciler) resolve(s *snapshot) {
	hash := render.Hash(&s.service.Spec.Predictor)
	for _, rev := range slices.Backward(s.revisions) {
		if rev.template != nil && rev.template.Hash == hash {
			s.template = rev.template
			return
		}
	}
	runtimes, broken := readable[v1alpha1.ServingRuntime](r.caches.runtimes, s.service.Namespace)
	ofCluster, more := readable[v1alpha1.ClusterServingRuntime](r.caches.clusterRuntimes, "")
	t, err := render.Resolve(s.service, runtimes, ofCluster, r.Render)
	if err != nil {
		reason := v1beta1.InvalidPredictorSpec
		if invalid, ok := errors.AsType[*render.Invalid](err); ok {
			reason = invalid.Reason
		}
		s.invalid = &rollout.Invalid{Reason: reason, Message: strings.Join(slices.Concat([]string{err.Error()}, broken, more), "; ")}
		return
	}
	s.template = t
}

// readable returns the objects of a namespace that decode, and why the others
// do not. Objects of the cluster have the namespace "".
func readable[T any](k *kind, namespace string) (out []T, broken []string) {
	for _, o := range k.List() {
		object, ok := o.(metav1.Object)
		if !ok || object.GetNamespace() != namespace {
			continue
		}
		var t T
		if err := k.Unpack(o, &t); err != nil {
			broken = append(broken, fmt.Sprintf("%s %s: %s", k.empty.GetObjectKind().GroupVersionKind().Kind, object.GetName(), unreadable(err)))
			continue
		}
		out = append(out, t)
	}
	return out, broken
}

// unreadable names the field whose value has a wrong type. Go's path to it also
// names embedded structs, which begin with a capital, unlike fields of the API.
func unreadable(err error) string {
	if field, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		path := slices.DeleteFunc(strings.Split(field.Field, "."), func(name string) bool { return strings.IndexFunc(name, unicode.IsUpper) == 0 })
		return fmt.Sprintf("%s cannot be a %s: it is %s", strings.Join(path, "."), field.Value, field.Type)
	}
	return "it cannot be read: " + err.Error()
}

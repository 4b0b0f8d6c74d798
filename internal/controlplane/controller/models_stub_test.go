// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/render"
	"github.com/serin-dev/serin/internal/controlplane/rollout"
)

// holder is an API that has a ConfigMap which no cache shows.
type holder struct {
	client.Client
	there *corev1.ConfigMap
	verbs []string
}

func (h *holder) Create(_ context.Context, o client.Object, _ ...client.CreateOption) error {
	h.verbs = append(h.verbs, "create")
	return apierrors.NewAlreadyExists(schema.GroupResource{Resource: "configmaps"}, o.GetName())
}

func (h *holder) Apply(context.Context, runtime.ApplyConfiguration, ...client.ApplyOption) error {
	h.verbs = append(h.verbs, "patch")
	return nil
}

func (h *holder) Get(_ context.Context, _ client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	h.verbs = append(h.verbs, "get")
	h.there.DeepCopyInto(o.(*corev1.ConfigMap))
	return nil
}

func TestConfigMapThatNoCacheShows(t *testing.T) {
	t.Parallel()
	const one = "iris-predictor-00001"
	ours := map[string]string{v1beta1.LabelService: "iris", v1beta1.LabelComponent: "predictor"}
	service := &v1beta1.InferenceService{ObjectMeta: metav1.ObjectMeta{Name: "iris", Namespace: "team", UID: "mine"}}
	for name, c := range map[string]struct {
		labels map[string]string
		owner  types.UID
		verbs  []string
		taken  bool
	}{
		"ours, of which the cache will tell":    {ours, "mine", []string{"create", "get"}, false},
		"ours, without its label":               {nil, "mine", []string{"create", "get", "patch"}, false},
		"a deleted service's":                   {ours, "gone", []string{"create", "get"}, true},
		"a user's, with the label of a service": {map[string]string{v1beta1.LabelService: "iris"}, "", []string{"create", "get"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := &holder{there: &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "iris-predictor-models", Namespace: "team", Labels: c.labels}}}
			if c.owner != "" {
				h.there.OwnerReferences = []metav1.OwnerReference{{Kind: v1beta1.Kind.Kind, Name: "iris", UID: c.owner, Controller: new(true)}}
			}
			w := writer{client: h, api: h}
			start := w.prepareModels(t.Context(), &snapshot{service: service}, rollout.Plan{}, one)
			if isTaken := start != nil && !errors.Is(start, errOutdated); start == nil || isTaken != c.taken {
				t.Errorf("a new revision starts, or does not, for %v", start)
			}
			if diff := cmp.Diff(c.verbs, h.verbs); diff != "" {
				t.Errorf("verbs (-want +got):\n%s", diff)
			}
			refusals, err := w.applyObjects(t.Context(), []wanted{{object: render.Models(service, map[string]string{one: "x"}), revision: one}})
			if len(refusals) > 0 != c.taken || err == nil {
				t.Errorf("refusals: %v, error: %v", refusals, err)
			}
		})
	}
}

func TestUsersConfigMapWithTheLabelOfAServiceIsNotOurs(t *testing.T) {
	t.Parallel()
	service := &v1beta1.InferenceService{ObjectMeta: metav1.ObjectMeta{Name: "iris", UID: "mine"}}
	cm := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "iris-predictor-models", Labels: map[string]string{v1beta1.LabelService: "iris"}}}
	if named(cm, service) {
		t.Error("it would be overwritten")
	}
	cm.Labels[v1beta1.LabelComponent] = "predictor"
	if !named(cm, service) {
		t.Error("one that kubectl delete --cascade=orphan left is not adopted")
	}
}

// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/util/csaupgrade"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/rollout"
)

// store writes the status, and before it the events of the same decision.
func (w writer) store(ctx context.Context, s *v1beta1.InferenceService, p rollout.Plan) (changed bool, err error) {
	if len(p.Events) > 0 {
		if err := w.unchanged(ctx, s); err != nil {
			return false, err
		}
	}
	for i, e := range p.Events {
		w.recordEvent(ctx, s, i, e.Type(), e.Reason, e.Message)
	}
	return w.applyStatus(ctx, s, p.Status)
}

// applyStatus writes the status over the very object that was read, or not at
// all: a decision on an outdated service must not undo a newer one.
//
// It reports whether the write changed anything. Fields that others wrote beside
// ours stay, so the status can differ from the planned one for ever.
func (w writer) applyStatus(ctx context.Context, s *v1beta1.InferenceService, status v1beta1.InferenceServiceStatus) (changed bool, err error) {
	content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&status)
	if err != nil {
		return false, fmt.Errorf("convert status: %w", err)
	}
	u := &unstructured.Unstructured{Object: map[string]any{"status": content}}
	u.SetGroupVersionKind(v1beta1.Kind)
	u.SetNamespace(s.Namespace)
	u.SetName(s.Name)
	u.SetUID(s.UID)
	u.SetResourceVersion(s.ResourceVersion)
	err = w.client.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(u), fieldOwner, client.ForceOwnership)
	if err != nil && (strings.Contains(err.Error(), "typed live object") || apierrors.IsInvalid(err)) {
		// The stored status breaks the schema, because it is older than the
		// schema's bounds, so no apply merges into it. It is replaced.
		u, err = w.replaceStatus(ctx, s, content)
	}
	switch {
	case apierrors.IsConflict(err), apierrors.IsNotFound(err):
		return false, errOutdated
	case err != nil:
		return false, fmt.Errorf("apply status: %w", err)
	}
	return u.GetResourceVersion() != s.ResourceVersion, nil
}

// replaceStatus replaces the whole stored status. Then it marks the fields as
// applied: an apply that leaves a field out removes only applied ones.
func (w writer) replaceStatus(ctx context.Context, s *v1beta1.InferenceService, status map[string]any) (*unstructured.Unstructured, error) {
	patch, err := json.Marshal([]map[string]any{
		{"op": "test", "path": "/metadata/resourceVersion", "value": s.ResourceVersion},
		{"op": "add", "path": "/status", "value": status},
	})
	if err != nil {
		return nil, err
	}
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(v1beta1.Kind)
	u.SetNamespace(s.Namespace)
	u.SetName(s.Name)
	if err := w.client.Status().Patch(ctx, u, client.RawPatch(types.JSONPatchType, patch), fieldOwner); err != nil {
		return u, err
	}
	owned, err := csaupgrade.UpgradeManagedFieldsPatch(u, sets.New(string(fieldOwner)), string(fieldOwner), csaupgrade.Subresource("status"))
	if err != nil || owned == nil {
		return u, err
	}
	return u, w.client.Status().Patch(ctx, u, client.RawPatch(types.JSONPatchType, owned), fieldOwner)
}

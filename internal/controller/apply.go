// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/rollout"
)

// fieldOwner owns what the controller applies.
const fieldOwner = client.FieldOwner("serin-controller")

// writer does every write of this package. Each may be the last before a
// crash: the next reconcile carries on from what it finds.
type writer struct {
	client client.Client
	api    client.Reader // not cached
}

// apply writes what differs: objects, then prunes, then events and the status. It says
// whether the status changed.
func (w writer) apply(ctx context.Context, now *world, p rollout.Plan, objects []wanted) (changed bool, err error) {
	for _, o := range objects {
		if err := w.applyObject(ctx, o); err != nil {
			return false, err
		}
	}
	if err := w.prune(ctx, now, p.Keep); err != nil {
		return false, err
	}
	return w.applyStatus(ctx, now.service, p)
}

func (w writer) applyObject(ctx context.Context, o wanted) error {
	if record, ok := o.object.(*appsv1ac.ControllerRevisionApplyConfiguration); ok {
		if o.current != nil {
			return nil // made once, never changed
		}
		return w.createRecord(ctx, record)
	}
	opts := []client.ApplyOption{fieldOwner}
	if o.current != nil {
		same, err := covers(o.current, o.object)
		if err != nil || same {
			return err
		}
		// Ours, so others' edits yield. What is not in the cache is taken by
		// nobody or by a stranger, whose object must not be overwritten.
		opts = append(opts, client.ForceOwnership)
	}
	return wrap("apply", o.object, w.client.Apply(ctx, o.object, opts...))
}

// createRecord makes a ControllerRevision. If there is one of that name, it is
// ours and the cache does not show it yet, so that the decision is outdated, or
// it is of a deleted service of the same name.
func (w writer) createRecord(ctx context.Context, ac *appsv1ac.ControllerRevisionApplyConfiguration) error {
	var record, existing appsv1.ControllerRevision
	b, err := json.Marshal(ac)
	if err == nil {
		err = json.Unmarshal(b, &record)
	}
	if err != nil {
		return fmt.Errorf("convert %s: %w", describe(ac), err)
	}
	err = w.client.Create(ctx, &record, fieldOwner)
	if !apierrors.IsAlreadyExists(err) {
		return wrap("create", ac, err)
	}
	if err := w.api.Get(ctx, client.ObjectKeyFromObject(&record), &existing); err != nil {
		return wrap("read", ac, err)
	}
	if owner := metav1.GetControllerOf(&existing); owner == nil || owner.UID != record.OwnerReferences[0].UID {
		return fmt.Errorf("create %s: somebody else has one of that name", describe(ac))
	}
	return apierrors.NewConflict(appsv1.Resource("controllerrevisions"), record.Name, err)
}

// prune deletes the revisions that are no longer kept. It is rare, so it makes
// sure first that the decision did not rest on an outdated service.
func (w writer) prune(ctx context.Context, now *world, keep []string) error {
	doomed := now.strays
	for _, r := range now.revisions {
		if slices.Contains(keep, r.record.Name) {
			continue
		}
		for _, o := range []client.Object{orNil(r.deployment), orNil(r.service), r.record} {
			if o != nil {
				doomed = append(doomed, o)
			}
		}
	}
	if len(doomed) == 0 {
		return nil
	}
	var live v1beta1.InferenceService
	if err := w.api.Get(ctx, client.ObjectKeyFromObject(now.service), &live); err != nil {
		return fmt.Errorf("read service before pruning: %w", err)
	}
	if live.ResourceVersion != now.service.ResourceVersion {
		return apierrors.NewConflict(v1beta1.Resource.GroupResource(), live.Name, errors.New("it changed while it was decided on"))
	}
	for _, o := range doomed {
		uid := o.GetUID()
		if err := w.client.Delete(ctx, o, client.Preconditions{UID: &uid}, client.PropagationPolicy("Background")); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("delete %T %s: %w", o, o.GetName(), err)
		}
	}
	return nil
}

// applyStatus writes the status over the very object that was read, or fails
// with a conflict: a decision on an outdated service must not undo a newer one.
func (w writer) applyStatus(ctx context.Context, s *v1beta1.InferenceService, p rollout.Plan) (bool, error) {
	if equality.Semantic.DeepEqual(s.Status, p.Status) {
		return false, nil
	}
	status, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&p.Status)
	if err != nil {
		return false, fmt.Errorf("convert status: %w", err)
	}
	u := &unstructured.Unstructured{Object: map[string]any{"status": status}}
	u.SetGroupVersionKind(v1beta1.Kind)
	u.SetNamespace(s.Namespace)
	u.SetName(s.Name)
	u.SetUID(s.UID)
	u.SetResourceVersion(s.ResourceVersion)
	// Events come first: once the status is written nobody knows any more what
	// it was before.
	for i, e := range p.Events {
		w.tell(ctx, s, i, e.Type(), e.Reason, e.Message)
	}
	if err := w.client.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(u), fieldOwner, client.ForceOwnership); err != nil {
		return false, fmt.Errorf("apply status: %w", err)
	}
	return true, nil
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

func wrap(act string, o runtime.ApplyConfiguration, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s %s: %w", act, describe(o), err)
}

// describe names an object in errors.
func describe(o runtime.ApplyConfiguration) string {
	if named, ok := o.(interface {
		GetKind() *string
		GetName() *string
	}); ok && named.GetKind() != nil && named.GetName() != nil {
		return *named.GetKind() + " " + *named.GetName()
	}
	return fmt.Sprintf("%T", o)
}

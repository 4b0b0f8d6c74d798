// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
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

// apply writes what differs: records, the other objects and events, then
// prunes, and the status last. It says whether the status changed.
func (w writer) apply(ctx context.Context, now *world, p rollout.Plan, objects []wanted) (changed bool, err error) {
	same := equality.Semantic.DeepEqual(now.service.Status, p.Status)
	doomed := now.doomed(p.Keep)
	if tells := !same && len(p.Events) > 0; tells || len(doomed) > 0 {
		if err := w.unchanged(ctx, now.service); err != nil {
			return false, err
		}
	}
	for _, o := range objects { // a conflict here ends an outdated decision
		if record, ok := o.object.(*appsv1ac.ControllerRevisionApplyConfiguration); ok && o.current == nil {
			if err := w.create(ctx, record, &appsv1.ControllerRevision{}, appsv1.Resource("controllerrevisions")); err != nil {
				return false, err
			}
		}
	}
	// At once, because clients wait for the status. What a service still lacks
	// after a crash here is written after it; events have their names.
	var writes errgroup.Group
	for _, o := range objects {
		writes.Go(func() error { return w.applyObject(ctx, o) })
	}
	if !same {
		writes.Go(func() error {
			for i, e := range p.Events {
				w.tell(ctx, now.service, i, e.Type(), e.Reason, e.Message)
			}
			return nil
		})
	}
	if err := writes.Wait(); err != nil {
		return false, err
	}
	if err := w.prune(ctx, doomed); err != nil || same {
		return false, err
	}
	err = w.applyStatus(ctx, now.service, p.Status)
	return err == nil, err
}

// unchanged fails with a conflict if the service is no longer the one that was
// decided on, because the cache is late. What cannot be taken back asks first:
// a deletion, and an event.
func (w writer) unchanged(ctx context.Context, s *v1beta1.InferenceService) error {
	var live metav1.PartialObjectMetadata // the rest may be unreadable
	live.SetGroupVersionKind(v1beta1.Kind)
	if err := w.api.Get(ctx, client.ObjectKeyFromObject(s), &live); err != nil {
		return fmt.Errorf("read service again: %w", err)
	}
	if live.ResourceVersion != s.ResourceVersion {
		return apierrors.NewConflict(v1beta1.Resource.GroupResource(), live.Name, errors.New("it changed while it was decided on"))
	}
	return nil
}

func (w writer) applyObject(ctx context.Context, o wanted) error {
	switch ac := o.object.(type) {
	case *appsv1ac.ControllerRevisionApplyConfiguration:
		return nil // made once, never changed
	case *corev1ac.ServiceApplyConfiguration:
		if o.current == nil && ac.Spec.ExternalName != nil {
			// Under a name that users chose: an apply could merge into theirs.
			return w.create(ctx, ac, &corev1.Service{}, corev1.Resource("services"))
		}
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

// create makes an object of a kind that empty has. If there is one of that
// name, it is ours and the cache does not show it yet, so that the decision is
// outdated, or it is of somebody else, such as a deleted service of this name.
func (w writer) create(ctx context.Context, ac runtime.ApplyConfiguration, empty client.Object, kind schema.GroupResource) error {
	object := empty.DeepCopyObject().(client.Object)
	b, err := json.Marshal(ac)
	if err == nil {
		err = json.Unmarshal(b, object)
	}
	if err != nil {
		return fmt.Errorf("convert %s: %w", describe(ac), err)
	}
	mine := metav1.GetControllerOf(object)
	err = w.client.Create(ctx, object, fieldOwner)
	if !apierrors.IsAlreadyExists(err) {
		return wrap("create", ac, err)
	}
	if err := w.api.Get(ctx, client.ObjectKeyFromObject(object), empty); err != nil {
		return wrap("read", ac, err)
	}
	if owner := metav1.GetControllerOf(empty); owner == nil || owner.UID != mine.UID {
		return fmt.Errorf("create %s: somebody else has one of that name", describe(ac))
	}
	return apierrors.NewConflict(kind, object.GetName(), err)
}

// doomed are the objects of revisions that are no longer kept.
func (w *world) doomed(keep []string) []client.Object {
	doomed := w.strays
	for _, r := range w.revisions {
		if slices.Contains(keep, r.record.Name) {
			continue
		}
		for _, o := range []client.Object{orNil(r.deployment), orNil(r.service), r.record} {
			if o != nil {
				doomed = append(doomed, o)
			}
		}
	}
	return doomed
}

func (w writer) prune(ctx context.Context, doomed []client.Object) error {
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
func (w writer) applyStatus(ctx context.Context, s *v1beta1.InferenceService, now v1beta1.InferenceServiceStatus) error {
	status, err := runtime.DefaultUnstructuredConverter.ToUnstructured(&now)
	if err != nil {
		return fmt.Errorf("convert status: %w", err)
	}
	u := &unstructured.Unstructured{Object: map[string]any{"status": status}}
	u.SetGroupVersionKind(v1beta1.Kind)
	u.SetNamespace(s.Namespace)
	u.SetName(s.Name)
	u.SetUID(s.UID)
	u.SetResourceVersion(s.ResourceVersion)
	if err := w.client.Status().Apply(ctx, client.ApplyConfigurationFromUnstructured(u), fieldOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("apply status: %w", err)
	}
	return nil
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

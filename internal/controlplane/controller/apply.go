// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	corev1ac "k8s.io/client-go/applyconfigurations/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/rollout"
)

// fieldOwner owns what the controller applies.
const fieldOwner = client.FieldOwner(name)

// writer does every write of this package. Each may be the last before a
// crash: the next reconcile carries on from what it finds.
type writer struct {
	client client.Client
	api    client.Reader // not cached
}

// errOutdated ends a decision on an outdated cache. The newer object is on its
// way there, and its arrival reconciles again.
var errOutdated = errors.New("the cache is late")

// dryRun has the API server check a new revision's Deployment without storing
// it, so that a template that the API server refuses never becomes a revision.
func (w writer) dryRun(ctx context.Context, d *appsv1ac.DeploymentApplyConfiguration) error {
	err := w.client.Apply(ctx, d, fieldOwner, client.DryRunAll)
	if err != nil && strings.Contains(err.Error(), "does not support dry run") {
		return nil // a webhook's answer, which says nothing about d
	}
	if err = w.wrap(ctx, "try", d, w.inTheWay(ctx, d, err)); err != nil && !errors.Is(err, errOutdated) {
		return fmt.Errorf("no Pod can be made of this spec: %w", errors.Unwrap(err))
	}
	return err
}

// applyObjects writes the objects that differ, concurrently, except Deployments
// that may go to zero. It returns what the API server refused: no object waits
// for another.
func (w writer) applyObjects(ctx context.Context, objects []wanted) ([]rollout.Refusal, error) {
	errs := make([]error, len(objects))
	var writes sync.WaitGroup
	for i, o := range objects {
		if !o.idle {
			writes.Go(func() { errs[i] = w.applyObject(ctx, o) })
		}
	}
	writes.Wait()
	var refusals []rollout.Refusal
	for i, err := range errs {
		if err != nil && !errors.Is(err, errOutdated) {
			_, runs := objects[i].object.(*appsv1ac.DeploymentApplyConfiguration)
			refusals = append(refusals, rollout.Refusal{Revision: objects[i].revision, Deployment: runs, Message: err.Error()})
		}
	}
	return refusals, errors.Join(errs...)
}

// cleanUp marks revisions idle, and deletes Deployments and records that need not
// exist. The stored status no longer names them: see rollout.PlannedRevision.
func (w writer) cleanUp(ctx context.Context, s *snapshot, p rollout.Plan, objects []wanted) error {
	toDelete := append(s.toDelete(p), s.foreign(ctx, p)...)
	var differ []wanted
	for _, o := range objects {
		if same, err := o.covered(); o.idle && (!same || err != nil) {
			differ = append(differ, o)
		}
	}
	if len(differ) == 0 && len(toDelete) == 0 {
		return nil
	}
	if err := w.unchanged(ctx, s.service); err != nil {
		return err
	}
	var errs []error
	for _, o := range differ {
		errs = append(errs, w.applyObject(ctx, o))
	}
	for _, o := range toDelete {
		errs = append(errs, w.delete(ctx, o))
	}
	return errors.Join(errs...)
}

// unchanged fails if the service has changed since the decision, because the
// cache is late. What cannot be taken back asks first: a deletion, a mark that
// lets Pods go, and an event.
func (w writer) unchanged(ctx context.Context, s *v1beta1.InferenceService) error {
	var live metav1.PartialObjectMetadata // the rest may be unreadable
	live.SetGroupVersionKind(v1beta1.Kind)
	err := w.api.Get(ctx, client.ObjectKeyFromObject(s), &live)
	switch {
	case apierrors.IsNotFound(err), err == nil && live.ResourceVersion != s.ResourceVersion:
		return errOutdated
	case err != nil:
		return fmt.Errorf("read service again: %w", err)
	}
	return nil
}

func (w writer) applyObject(ctx context.Context, o wanted) error {
	switch ac := o.object.(type) {
	case *appsv1ac.ControllerRevisionApplyConfiguration:
		return w.adopt(ctx, o) // made once, never changed
	case *corev1ac.ConfigMapApplyConfiguration:
		if same, err := o.covered(); err != nil || same {
			return err
		}
		if o.current == nil { // an apply could merge into an object of a user's
			return w.create(ctx, ac, &corev1.ConfigMap{})
		}
		return w.replace(ctx, ac, o.current)
	case *corev1ac.ServiceApplyConfiguration:
		if o.current == nil && ac.Spec.ExternalName != nil {
			// Users choose this name: an apply could merge into an object of theirs.
			return w.create(ctx, ac, &corev1.Service{})
		}
	}
	opts := []client.ApplyOption{fieldOwner}
	if o.current != nil {
		same, err := o.covered()
		if err != nil || same {
			return err
		}
		// The object is ours, so others' edits yield. One that the cache does not
		// show may be a stranger's, and must not be overwritten.
		opts = append(opts, client.ForceOwnership)
	}
	err := w.client.Apply(ctx, o.object, opts...)
	if o.current == nil {
		err = w.inTheWay(ctx, o.object, err)
	}
	return w.wrap(ctx, "apply", o.object, err)
}

// adopt claims the record of a revision whose service was deleted without it
// (kubectl delete --cascade=orphan) and exists again.
func (w writer) adopt(ctx context.Context, o wanted) error {
	record, ok := o.object.(*appsv1ac.ControllerRevisionApplyConfiguration)
	if !ok || o.current == nil || metav1.GetControllerOf(o.current) != nil {
		return nil
	}
	ac := appsv1ac.ControllerRevision(*record.Name, *record.Namespace).
		WithUID(o.current.GetUID()).
		WithOwnerReferences(&record.OwnerReferences[0])
	return w.wrap(ctx, "adopt", o.object, w.client.Apply(ctx, ac, fieldOwner, client.ForceOwnership))
}

// create makes an object in the one that it is given, which is empty. If one of that
// name exists, either it is ours and the cache is late, or it belongs to somebody else,
// such as a deleted service of the same name.
func (w writer) create(ctx context.Context, ac runtime.ApplyConfiguration, object client.Object) error {
	there := object.DeepCopyObject().(client.Object)
	if err := fill(object, ac); err != nil {
		return err
	}
	mine := metav1.GetControllerOf(object)
	err := w.client.Create(ctx, object, fieldOwner)
	if !apierrors.IsAlreadyExists(err) {
		return w.wrap(ctx, "create", ac, err)
	}
	if err := w.api.Get(ctx, client.ObjectKeyFromObject(object), there); err != nil {
		return w.wrap(ctx, "read", ac, err)
	}
	owner := metav1.GetControllerOf(there)
	if owner == nil || owner.UID != mine.UID {
		return taken(ac, there)
	}
	if record, ok := there.(*appsv1.ControllerRevision); ok {
		if record.Revision != object.(*appsv1.ControllerRevision).Revision || record.Labels[v1beta1.LabelService] != object.GetLabels()[v1beta1.LabelService] {
			return taken(ac, there) // no cache will ever show it as a revision
		}
		return errOutdated
	}
	if _, ok := there.(*corev1.ConfigMap); ok && there.GetLabels()[v1beta1.LabelService] == object.GetLabels()[v1beta1.LabelService] {
		return errOutdated
	}
	// It is ours, but lacks the label that the cache selects by.
	if err := w.client.Apply(ctx, ac, fieldOwner, client.ForceOwnership); err != nil {
		return w.wrap(ctx, "apply", ac, err)
	}
	return errOutdated
}

// fill makes an empty object what an apply configuration of its kind says.
func fill(object client.Object, ac runtime.ApplyConfiguration) error {
	b, err := json.Marshal(ac)
	if err == nil {
		err = json.Unmarshal(b, object)
	}
	if err != nil {
		return fmt.Errorf("convert %s: %w", describe(ac), err)
	}
	return nil
}

func (w writer) delete(ctx context.Context, o client.Object) error {
	uid, version := o.GetUID(), o.GetResourceVersion()
	err := w.client.Delete(ctx, o, client.Preconditions{UID: &uid, ResourceVersion: &version}, client.PropagationPolicy("Background"))
	if apierrors.IsConflict(err) { // another one of that name, or not as it was
		return errOutdated
	}
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete %T %s: %w", o, o.GetName(), err)
	}
	return nil
}

// wrap says which write the API server refused, and why. In a namespace that is
// being deleted every write is refused, which is no error.
func (w writer) wrap(ctx context.Context, act string, o runtime.ApplyConfiguration, err error) error {
	switch {
	case err == nil:
		return nil
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause), ctx.Err() != nil:
		return errOutdated
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

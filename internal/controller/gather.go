// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/render"
	"github.com/serin-dev/serin/internal/rollout"
	"github.com/serin-dev/serin/internal/scale"
)

// world is everything that a decision reads, as it was.
type world struct {
	service   *v1beta1.InferenceService
	revisions []revision // oldest first
	// addresses are the Services behind the service's own names, by name.
	addresses map[string]*corev1.Service
	// taken are the names that others have, of those that the service wants.
	taken map[string]string
	// front is what leads to the service from a Gateway or an Ingress controller.
	front client.Object // nil: nothing yet
	// strays are objects of ours whose ControllerRevision is gone.
	strays []client.Object
	// template is what the current spec resolves to; nil if it is invalid, and
	// was never asked for before.
	template *render.Template
	invalid  *rollout.Invalid
	// refusals are what the API did not take in this reconcile.
	refusals []rollout.Refusal
	// settings are how the service wants to scale; nil if it makes no sense.
	settings *scale.Settings
}

// revision is a ControllerRevision and what was made of it.
type revision struct {
	record     *appsv1.ControllerRevision
	template   *render.Template   // nil if the record cannot be read
	deployment *appsv1.Deployment // nil until made
	service    *corev1.Service    // nil until made
	pods       []corev1.Pod
}

// gather reads a service and all that belongs to it. It returns nil if there
// is nothing to do: what a deleted service owned is garbage-collected.
func (r *reconciler) gather(ctx context.Context, key types.NamespacedName) (*world, error) {
	service, unread, err := r.caches.service(key)
	if err != nil || service == nil || service.DeletionTimestamp != nil {
		return nil, err
	}
	w := &world{service: service, invalid: unread}
	objects, err := r.ownObjects(w.service)
	if err != nil {
		return nil, err
	}
	objects = w.takeAddresses(objects)
	if w.revisions, err = r.history(ctx, w.service, objects); err != nil {
		return nil, err
	}
	if w.taken, err = r.caches.taken(w.service); err != nil {
		return nil, err
	}
	if err := errors.Join(r.attach(w, objects), r.readFront(ctx, w)); err != nil {
		return nil, err
	}
	w.strays = append(w.strays, w.unwanted()...)
	if w.invalid == nil { // the spec can be read
		r.resolve(w)
		if wrong := w.readSettings(); wrong != nil {
			w.invalid = wrong
		}
	}
	return w, nil
}

// ownObjects lists the service's Deployments and Services.
func (r *reconciler) ownObjects(s *v1beta1.InferenceService) ([]client.Object, error) {
	deployments, err1 := of[appsv1.Deployment](r.caches.deployments, s)
	services, err2 := of[corev1.Service](r.caches.addresses, s)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	var out []client.Object
	for i := range deployments {
		out = append(out, &deployments[i])
	}
	for i := range services {
		out = append(out, &services[i])
	}
	return slices.DeleteFunc(out, func(o client.Object) bool { return !belongs(o, s) || !named(o, s) }), nil
}

// takeAddresses keeps the Services of no revision, and returns the other objects.
func (w *world) takeAddresses(objects []client.Object) []client.Object {
	w.addresses = map[string]*corev1.Service{}
	return slices.DeleteFunc(objects, func(o client.Object) bool {
		if o.GetLabels()[v1beta1.LabelRevision] != "" {
			return false
		}
		if s, ok := o.(*corev1.Service); ok {
			w.addresses[s.Name] = s
		}
		return true
	})
}

// history reads the revisions, oldest first. A cache that does not show one
// which the status or an object names lags behind us, or somebody deleted the
// revision: the API knows.
func (r *reconciler) history(ctx context.Context, s *v1beta1.InferenceService, objects []client.Object) ([]revision, error) {
	records, err := of[appsv1.ControllerRevision](r.caches.revisions, s)
	if err != nil {
		return nil, err
	}
	named := rollout.Named(s.Status.Components[v1beta1.Predictor])
	for _, o := range objects {
		named = append(named, o.GetLabels()[v1beta1.LabelRevision])
	}
	if slices.ContainsFunc(named, func(name string) bool {
		return !slices.ContainsFunc(records, func(cr appsv1.ControllerRevision) bool { return cr.Name == name && belongs(&cr, s) })
	}) {
		var list appsv1.ControllerRevisionList
		if err := r.api.List(ctx, &list, client.InNamespace(s.Namespace), client.MatchingLabels{v1beta1.LabelService: s.Name}); err != nil {
			return nil, fmt.Errorf("list revisions: %w", err)
		}
		records = list.Items
	}
	var out []revision
	for i := range records {
		cr := &records[i]
		if !belongs(cr, s) || cr.DeletionTimestamp != nil {
			continue // of a deleted service of the same name
		}
		if n, ours := v1beta1.RevisionNumber(s.Name, v1beta1.Predictor, cr.Name); !ours || int64(n) != cr.Revision {
			continue // somebody else made it
		}
		t, err := render.ReadTemplate(cr)
		if err != nil {
			log.FromContext(ctx).Error(err, "a revision stays as it is, because its record cannot be read")
		}
		out = append(out, revision{record: cr, template: t})
	}
	slices.SortFunc(out, func(a, b revision) int { return cmp.Compare(a.record.Revision, b.record.Revision) })
	return out, nil
}

// attach gives each revision its objects and Pods.
func (r *reconciler) attach(w *world, objects []client.Object) error {
	pods, err := of[corev1.Pod](r.caches.pods, w.service)
	if err != nil {
		return err
	}
	named := make(map[string]*revision)
	for i := range w.revisions {
		named[w.revisions[i].record.Name] = &w.revisions[i]
	}
	for _, o := range objects {
		rev := named[o.GetLabels()[v1beta1.LabelRevision]]
		if rev == nil {
			// What nobody owns is adopted or left alone, never deleted.
			if metav1.IsControlledBy(o, w.service) {
				w.strays = append(w.strays, o)
			}
			continue
		}
		switch o := o.(type) {
		case *appsv1.Deployment:
			rev.deployment = o
		case *corev1.Service:
			rev.service = o
		}
	}
	for _, p := range pods {
		rev := named[v1beta1.RevisionOfPod(&p)]
		// An older Pod is of a deleted service of the same name.
		if rev != nil && !p.CreationTimestamp.Before(&rev.record.CreationTimestamp) {
			rev.pods = append(rev.pods, p)
		}
	}
	return nil
}

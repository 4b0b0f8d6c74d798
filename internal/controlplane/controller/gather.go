// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/render"
	"github.com/serin-dev/serin/internal/controlplane/rollout"
	"github.com/serin-dev/serin/internal/controlplane/scale"
)

// snapshot is everything that a decision reads.
type snapshot struct {
	service   *v1beta1.InferenceService
	revisions []revision // oldest first
	// addresses are the Services behind the service's own names, by name.
	addresses map[string]*corev1.Service
	// taken are the names that the service wants and other services have.
	taken map[string]string
	// models tells Pods which model they must get; nil until made.
	models *corev1.ConfigMap
	// externalRoute leads to the service from a Gateway or an Ingress controller.
	externalRoute client.Object // nil until made
	// orphans are objects of ours whose ControllerRevision is gone, and Services
	// of revisions, which earlier versions made.
	orphans []client.Object
	// template is what the current spec resolves to; nil if the spec is invalid
	// and no revision has it.
	template *render.Template
	invalid  *rollout.Invalid
	// refusals are the objects that the API refused in this reconcile.
	refusals []rollout.Refusal
	// settings say how the service scales; nil if they are invalid.
	settings *scale.Settings
	// again is when the last decision may say more; zero is never.
	again time.Time
}

// revision is a ControllerRevision and its objects.
type revision struct {
	record     *appsv1.ControllerRevision
	template   *render.Template   // nil if the record cannot be read
	deployment *appsv1.Deployment // nil until made
	demand     scale.Demand       // what the Deployment says
	pods       []corev1.Pod
	// events are those of the Pod that rollout.Unexplained names, if there is one.
	events []corev1.Event
}

// gather reads a service and all that belongs to it. It returns nil for a deleted
// service: the garbage collector deletes its objects.
func (r *reconciler) gather(ctx context.Context, key types.NamespacedName, now time.Time) (*snapshot, error) {
	service, unread, err := r.caches.service(key)
	if err != nil || service == nil || service.DeletionTimestamp != nil {
		return nil, err
	}
	s := &snapshot{service: service, invalid: unread}
	objects, err := r.ownObjects(s.service)
	if err != nil {
		return nil, err
	}
	objects = s.takeAddresses(objects)
	if s.revisions, err = r.history(ctx, s.service, objects); err != nil {
		return nil, err
	}
	if s.taken, err = r.caches.taken(s.service); err != nil {
		return nil, err
	}
	if err := errors.Join(r.attach(ctx, s, objects), r.readModels(s), r.readExternalRoute(ctx, s)); err != nil {
		return nil, err
	}
	r.readEvents(ctx, s, now)
	s.orphans = append(s.orphans, s.unwanted()...)
	if s.invalid == nil { // the spec can be read
		r.resolve(s)
		if wrong := s.readSettings(); wrong != nil {
			s.invalid = wrong
		}
	}
	return s, nil
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

// takeAddresses keeps the Services that belong to no revision, and returns the
// other objects.
func (s *snapshot) takeAddresses(objects []client.Object) []client.Object {
	s.addresses = map[string]*corev1.Service{}
	return slices.DeleteFunc(objects, func(o client.Object) bool {
		if o.GetLabels()[v1beta1.LabelRevision] != "" {
			return false
		}
		if address, ok := o.(*corev1.Service); ok {
			s.addresses[address.Name] = address
		}
		return true
	})
}

// history reads the revisions, oldest first. If the status or an object names one
// that the cache does not show, or the status the model of one, either the cache is
// late or somebody deleted the revision, so the API is asked.
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
		return !slices.ContainsFunc(records, func(cr appsv1.ControllerRevision) bool {
			return cr.Name == name && belongs(&cr, s) && (s.Status.ModelDigests[name] == "" || v1beta1.RecordedDigest(&cr) != "")
		})
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
		if n, ours := v1beta1.Predictor.RevisionNumber(s.Name, cr.Name); !ours || int64(n) != cr.Revision {
			continue // somebody else made it
		}
		t, err := render.ReadTemplate(cr)
		if err != nil {
			log.FromContext(ctx).Error(err, "a revision stays as it is, because its record cannot be read")
		}
		out = append(out, revision{record: cr, template: t, demand: scale.Demand{Min: 1}})
	}
	slices.SortFunc(out, func(a, b revision) int { return cmp.Compare(a.record.Revision, b.record.Revision) })
	return out, nil
}

// attach gives each revision its objects and Pods.
func (r *reconciler) attach(ctx context.Context, s *snapshot, objects []client.Object) error {
	pods, err := of[corev1.Pod](r.caches.pods, s.service)
	if err != nil {
		return err
	}
	named := make(map[string]*revision)
	for i := range s.revisions {
		named[s.revisions[i].record.Name] = &s.revisions[i]
	}
	for _, o := range objects {
		rev := named[o.GetLabels()[v1beta1.LabelRevision]]
		d, runs := o.(*appsv1.Deployment)
		if rev == nil || !runs {
			// An object without an owner is adopted or left alone, never deleted.
			if metav1.IsControlledBy(o, s.service) {
				s.orphans = append(s.orphans, o)
			}
			continue
		}
		rev.deployment = d
		var err error
		if rev.demand, err = scale.ParseDemand(d.Annotations); err != nil {
			log.FromContext(ctx).Error(err, "the annotations of a Deployment are read in part", "deployment", d.Name)
		}
	}
	for _, p := range pods {
		rev := named[v1beta1.RevisionOfPod(&p)]
		// An older Pod is of a deleted service of the same name. One of the same
		// second may be, too, until the garbage collector deletes it: its Deployment
		// and ReplicaSet have the same names, and their identities are not known here.
		if rev != nil && !p.CreationTimestamp.Before(&rev.record.CreationTimestamp) {
			rev.pods = append(rev.pods, p)
		}
	}
	return nil
}

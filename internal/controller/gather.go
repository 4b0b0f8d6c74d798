// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/serin-dev/serin/api/v1alpha1"
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
	demand     scale.Demand       // what the Deployment says
	service    *corev1.Service    // nil until made
	pods       []corev1.Pod
}

// gather reads a service and all that belongs to it. It returns nil if there
// is nothing to do: what a deleted service owned is garbage-collected.
func (r *reconciler) gather(ctx context.Context, key types.NamespacedName) (*world, error) {
	service, unread, err := r.shelves.service(key)
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
	if w.taken, err = r.shelves.taken(w.service); err != nil {
		return nil, err
	}
	if err := errors.Join(r.attach(ctx, w, objects), r.readFront(ctx, w)); err != nil {
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

// readSettings reads what annotations say: no schema has checked them.
func (w *world) readSettings() *rollout.Invalid {
	concurrency := w.service.Spec.Predictor.ContainerConcurrency
	if concurrency == nil {
		concurrency = new(int64)
	}
	s, err := scale.Read(annotations(w.service, *concurrency))
	for _, err := range []error{err, foreignScaling(w.service.Annotations), stickiness(w.service.Annotations), v1beta1.CheckVisibility(w.service.Labels, w.service.Spec.Predictor.Labels)} {
		if err != nil {
			return &rollout.Invalid{Reason: v1beta1.InvalidPredictorSpec, Message: err.Error()}
		}
	}
	w.settings = &s
	return nil
}

// foreignScaling refuses annotations by which KServe makes others scale.
func foreignScaling(annotations map[string]string) error {
	for _, name := range []string{"autoscalerClass", "metrics", "targetUtilizationPercentage"} {
		key := v1beta1.GroupVersion.Group + "/" + name
		if v, ok := annotations[key]; ok {
			return fmt.Errorf("annotation %s %q belongs to the HorizontalPodAutoscaler, which Serin does not use: remove it, and set scaleMetric and scaleTarget", key, v)
		}
	}
	return nil
}

func stickiness(annotations map[string]string) error {
	value, ok := annotations[v1beta1.AnnotationSticky]
	if !ok {
		return nil
	}
	if _, err := v1beta1.ParseSticky(value); err != nil {
		return fmt.Errorf("annotation %s: %w", v1beta1.AnnotationSticky, err)
	}
	return nil
}

// ownObjects lists the service's Deployments and Services.
func (r *reconciler) ownObjects(s *v1beta1.InferenceService) ([]client.Object, error) {
	deployments, err1 := of[appsv1.Deployment](r.shelves.deployments, client.ObjectKeyFromObject(s))
	services, err2 := of[corev1.Service](r.shelves.addresses, client.ObjectKeyFromObject(s))
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

// belongs says whether an object with the label of a service is its own, or was
// left behind by a deleted service of its name (kubectl delete --cascade=orphan)
// and is to be adopted.
func belongs(o client.Object, s *v1beta1.InferenceService) bool {
	owner := metav1.GetControllerOf(o)
	return owner == nil || owner.UID == s.UID
}

// named reports whether an object has the name that Serin gives it. Labels are
// copied, as by kubectl expose: what has them under another name is a user's.
func named(o client.Object, s *v1beta1.InferenceService) bool {
	revision, owned := o.GetLabels()[v1beta1.LabelRevision], metav1.GetControllerOf(o) != nil
	switch o := o.(type) {
	case *appsv1.Deployment:
		return o.Name == v1beta1.DeploymentName(revision)
	case *corev1.Service:
		if revision != "" {
			return o.Name == revision
		}
		return (o.Name == s.Name || o.Name == v1beta1.Predictor.AddressName(s.Name)) && (owned || o.Spec.Type == corev1.ServiceTypeExternalName)
	}
	return true
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
	records, err := of[appsv1.ControllerRevision](r.shelves.revisions, client.ObjectKeyFromObject(s))
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
func (r *reconciler) attach(ctx context.Context, w *world, objects []client.Object) error {
	pods, err := of[corev1.Pod](r.shelves.pods, client.ObjectKeyFromObject(w.service))
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
			var err error
			if rev.demand, err = scale.ParseDemand(o.Annotations); err != nil {
				log.FromContext(ctx).Error(err, "the annotations of a Deployment are read in part", "deployment", o.Name)
			}
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

// resolve finds what the current spec asks for: a template of the history if
// it was asked for before, whatever became of its runtime since.
func (r *reconciler) resolve(w *world) {
	hash := render.Hash(&w.service.Spec.Predictor)
	for _, rev := range slices.Backward(w.revisions) {
		if rev.template != nil && rev.template.Hash == hash {
			w.template = rev.template
			return
		}
	}
	runtimes, broken := readable[v1alpha1.ServingRuntime](r.shelves.runtimes, w.service.Namespace)
	ofCluster, more := readable[v1alpha1.ClusterServingRuntime](r.shelves.clusterRuntimes, "")
	t, err := render.Resolve(w.service, runtimes, ofCluster, r.Render)
	if err != nil {
		reason := v1beta1.InvalidPredictorSpec
		if invalid, ok := errors.AsType[*render.Invalid](err); ok {
			reason = invalid.Reason
		}
		w.invalid = &rollout.Invalid{Reason: reason, Message: strings.Join(slices.Concat([]string{err.Error()}, broken, more), "; ")}
		return
	}
	w.template = t
}

// decide puts the world before the rollout's rules.
func (w *world) decide(c Config, now time.Time) rollout.Plan {
	in := rollout.Input{
		Service:  w.service,
		Domain:   c.Domain,
		Scheme:   c.Scheme,
		Private:  private(w.service),
		Taken:    w.taken,
		Target:   rollout.Target{Invalid: w.invalid, Model: render.Model(&w.service.Spec.Predictor)},
		Refusals: w.refusals,
		Min:      w.least(),
		Now:      now,
	}
	if t := w.template; t != nil {
		in.Target = rollout.Target{Invalid: w.invalid, Hash: t.Hash, Model: t.Model, Runtime: t.Runtime, ClusterRuntime: t.ClusterRuntime}
	}
	for _, r := range w.revisions {
		one := rollout.Revision{
			Name:      r.record.Name,
			Number:    int(r.record.Revision),
			Health:    rollout.HealthOf(r.pods, r.deployment),
			IdleSince: r.demand.IdleSince,
		}
		if r.template != nil {
			one.Hash, one.Model = r.template.Hash, r.template.Model
		}
		in.Revisions = append(in.Revisions, one)
	}
	n := rollout.NextNumber(w.service.Name, in.Revisions, w.service.Status.Components[v1beta1.Predictor])
	in.Next = rollout.NewRevision{Name: v1beta1.Predictor.RevisionName(w.service.Name, n), Number: n}
	return rollout.Decide(in)
}

// least is the least number of replicas of a revision with traffic: as the
// settings say or, where they make no sense, as before.
func (w *world) least() int32 {
	if w.settings != nil {
		return w.settings.Min
	}
	for _, r := range w.revisions {
		if r.record.Name == w.service.Status.Components[v1beta1.Predictor].LatestRolledoutRevision && r.deployment != nil {
			return r.demand.Min
		}
	}
	return 1
}

// serviceOfPod maps a Pod to its service by label: a ReplicaSet owns it.
func serviceOfPod(_ context.Context, o client.Object) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: types.NamespacedName{
		Namespace: o.GetNamespace(), Name: o.GetLabels()[v1beta1.LabelService],
	}}}
}

// invalidServices are those that a runtime could help. A changed runtime
// changes nothing that runs. A service that becomes invalid right now is not
// missed: its new status reconciles it once more, with the runtime in cache.
func (r *reconciler) invalidServices(_ context.Context, runtime client.Object) []reconcile.Request {
	var out []reconcile.Request
	for _, o := range r.shelves.services.objects.List() {
		if p := o.(*packed); runtime.GetNamespace() != "" && p.Namespace != runtime.GetNamespace() {
			continue
		}
		var s v1beta1.InferenceService
		if err := r.shelves.services.unpack(o, &s); err != nil {
			continue // no runtime helps it
		}
		if m := s.Status.ModelStatus; m != nil && m.TransitionStatus == v1beta1.InvalidSpec {
			out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&s)})
		}
	}
	return out
}

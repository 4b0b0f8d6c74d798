// SPDX-License-Identifier: Apache-2.0

// Package controller turns InferenceServices into revisions and traffic.
//
// A reconcile gathers everything, asks rollout.Decide what should be, renders
// exact objects of it, and writes what differs. First come the objects that the
// new traffic needs. The status is stored next, also if the API refuses one of
// them, and says so. Pods and objects that the stored status no longer names go
// last, in a reconcile of their own. The router does what the status says, so no
// refused write takes the Pods from a revision that has traffic.
//
// Reads come from informer caches, which may lag behind the controller's own
// writes. Three things make a decision on old objects harmless: a revision's name
// follows from its number, and its content cannot be replaced; the status is
// written only over the version of the service that the decision read; and a
// revision that the status names but the cache does not show is read from the API
// (gather.go).
//
// The package keeps no state, reads no clock but for timestamps, never writes
// a spec, and leaves `spec.replicas` of Deployments to the autoscaler.
package controller

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/serin-dev/serin/api/v1alpha1"
	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/operator"
	"github.com/serin-dev/serin/internal/controlplane/render"
	"github.com/serin-dev/serin/internal/controlplane/rollout"
)

// Config says how the controller reaches the API and what it renders.
type Config struct {
	operator.Config
	// Domain ends the host names of services, such as example.com.
	Domain string
	// Router is the host name of the routers' Service, to which the services'
	// names within the cluster lead. Empty where there is no cluster DNS.
	Router string
	// ExternalRoute leads to the router from outside, and Scheme begins the services'
	// URLs there; empty is http.
	ExternalRoute render.ExternalRoute
	Scheme        string
	Render        render.Options
	// Routable is routing.Check. Its error becomes the reason Unroutable in the
	// service's status.
	Routable func(namespace, name string, traffic []v1beta1.TrafficTarget) error
	// Health is where /healthz and /readyz are served, Metrics where /metrics is.
	// Empty: nowhere.
	Health, Metrics string
}

// name is that of the lease, of the owner of fields, and of the source of events.
const name = "serin-controller"

// workers bounds how many services are reconciled at a time.
const workers = 8

// Run reconciles until ctx ends.
func Run(ctx context.Context, c Config) error {
	caches := newCaches()
	m, err := manager(c, caches)
	if err != nil {
		return fmt.Errorf("make controller: %w", err)
	}
	if err := caches.open(ctx, m.GetCache()); err != nil {
		return fmt.Errorf("index caches: %w", err)
	}
	r := &reconciler{
		Config: c,
		caches: caches,
		reader: m.GetClient(),
		api:    m.GetAPIReader(),
		writer: writer{
			client: m.GetClient(),
			api:    m.GetAPIReader(),
		},
	}
	if err := errors.Join(r.watch(m), m.AddHealthzCheck("ping", healthz.Ping), m.AddReadyzCheck("caches", synced(m))); err != nil {
		return fmt.Errorf("watch: %w", err)
	}
	return m.Start(ctx)
}

func manager(c Config, packed caches) (ctrl.Manager, error) {
	ours, err := labels.NewRequirement(v1beta1.LabelService, selection.Exists, nil)
	if err != nil {
		return nil, err
	}
	labelled := cache.ByObject{Label: labels.NewSelector().Add(*ours)}
	objects := map[client.Object]cache.ByObject{}
	if c.ExternalRoute.Enabled() {
		routes := labelled
		routes.Namespaces = map[string]cache.Config{c.ExternalRoute.Namespace: {}}
		objects[emptyRoute(c.ExternalRoute)] = routes
	}
	for _, k := range packed.all() {
		one := cache.ByObject{}
		if k.labelled {
			one = labelled
		}
		one.Transform = k.Transform
		objects[k.empty] = one
	}
	return c.Manager(name, operator.Options{
		Scheme:  []func(*runtime.Scheme) error{clientgoscheme.AddToScheme, v1alpha1.AddToScheme, v1beta1.AddToScheme, gatewayv1.Install},
		Cache:   cache.Options{DefaultTransform: cache.TransformStripManagedFields(), ByObject: objects},
		Health:  c.Health,
		Metrics: c.Metrics,
	})
}

// synced reports whether the caches are filled, also in a controller that waits
// to become the leader.
func synced(m ctrl.Manager) healthz.Checker {
	return func(r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), time.Second)
		defer cancel()
		if !m.GetCache().WaitForCacheSync(ctx) {
			return errors.New("the caches are not filled yet")
		}
		return nil
	}
}

type reconciler struct {
	Config
	caches caches        // packed: services and their objects
	reader client.Reader // cached: external routes
	api    client.Reader // not cached
	writer writer
}

// Reconcile brings one service to where its spec wants it.
func (r *reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	now := time.Now()
	s, err := r.gather(ctx, req.NamespacedName, now)
	if err == nil && s == nil && r.ExternalRoute.Enabled() {
		err = r.writer.deleteRoute(ctx, r.ExternalRoute, req.NamespacedName)
	}
	if err != nil || s == nil {
		return reconcile.Result{}, err
	}
	err = r.reconcile(ctx, s, now)
	switch {
	case errors.Is(err, errOutdated):
		return reconcile.Result{RequeueAfter: time.Second}, nil
	case err != nil || s.again.IsZero():
		return reconcile.Result{}, err
	}
	return reconcile.Result{RequeueAfter: max(s.again.Sub(now), time.Second)}, nil
}

// reconcile decides and writes. The status says what the API refused. It is also
// returned, so that it is tried again.
func (r *reconciler) reconcile(ctx context.Context, s *snapshot, now time.Time) error {
	plan := s.decide(r.Config, now)
	refused := r.start(ctx, s, plan)
	if errors.Is(refused, errOutdated) {
		return refused
	}
	if refused != nil {
		s.invalid = &rollout.Invalid{Reason: v1beta1.InvalidPredictorSpec, Message: refused.Error()}
		plan = s.decide(r.Config, now)
	}
	recorded, refusals, err := r.writer.recordDigests(ctx, s, plan)
	if errors.Is(err, errOutdated) {
		return err // a Pod of an unrecorded model would not count
	}
	if recorded {
		plan = s.decide(r.Config, now)
	}
	objects := s.objects(plan, r.Config)
	more, wrong := r.writer.applyObjects(ctx, objects)
	refused = errors.Join(refused, err, wrong) // a late cache, too, stops no status
	if s.refusals = append(refusals, more...); len(s.refusals) > 0 {
		plan = s.decide(r.Config, now)
	}
	changed := false
	if !equality.Semantic.DeepEqual(s.service.Status, plan.Status) {
		if changed, err = r.writer.store(ctx, s.service, plan); err != nil {
			if !errors.Is(err, errOutdated) {
				r.writer.recordFailure(ctx, s.service, err)
			}
			return err
		}
	}
	if changed {
		logDecision(ctx, plan)
		return refused
	}
	err = r.writer.cleanUp(ctx, s, plan, objects)
	if err != nil && !errors.Is(err, errOutdated) {
		r.writer.recordFailure(ctx, s.service, err)
	}
	return errors.Join(refused, err)
}

// start tries and records the new revision of a plan, if there is one.
func (r *reconciler) start(ctx context.Context, s *snapshot, p rollout.Plan) error {
	n := p.New()
	if n == nil {
		return nil
	}
	o := s.render(*n, s.revision(*n))
	if err := r.writer.dryRun(ctx, o.Deployment); err != nil {
		return err
	}
	if s.template.HoldsModel {
		if err := r.writer.prepareModels(ctx, s, p, n.Name); err != nil {
			return err
		}
	}
	return r.writer.create(ctx, o.Record, &appsv1.ControllerRevision{})
}

// logDecision writes the one line per decision that changed something.
func logDecision(ctx context.Context, p rollout.Plan) {
	var shares []string
	for _, t := range p.Status.Components[v1beta1.Predictor].Traffic {
		shares = append(shares, fmt.Sprintf("%s=%d", t.RevisionName, *t.Percent))
	}
	log.FromContext(ctx).Info("decided", "rule", p.Rule, "why", p.Why,
		"traffic", strings.Join(shares, ","), "generation", p.Status.ObservedGeneration)
}

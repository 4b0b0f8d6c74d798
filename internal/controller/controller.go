// SPDX-License-Identifier: Apache-2.0

// Package controller turns InferenceServices into revisions and traffic.
//
// A reconcile gathers everything, asks rollout.Decide what should be, renders
// exact objects of it, and writes what differs. First come the objects that the
// new traffic needs. The status is stored next, also if the API refuses one of
// them: it says so. Pods and objects that the stored status no longer names are
// let go last, in a reconcile of their own. The router does what the status
// says, so no refused write takes the Pods from a revision that has traffic.
//
// Reads come from informer caches, which may lag behind our own writes. So
// nothing is decided twice in a harmful way: the name of a revision follows
// from its number and its content cannot be replaced; the status is written
// only over the very object that the decision read; and what the status names
// but the cache does not show is asked of the API itself (gather.go).
//
// The package keeps no state, reads no clock but for timestamps, never writes
// a spec, and leaves `spec.replicas` of Deployments to the autoscaler.
package controller

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/log"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/serin-dev/serin/api/v1alpha1"
	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/render"
	"github.com/serin-dev/serin/internal/rollout"
)

// Config says how the controller reaches the API and what it renders.
type Config struct {
	REST *rest.Config
	// Domain ends the host names of services, such as example.com.
	Domain string
	// Router is the host name of the routers' Service, to which the services'
	// names within the cluster lead. Empty where there is no cluster DNS.
	Router string
	// Front is what stands before the router, and Scheme begins the services'
	// URLs there; empty is http.
	Front  render.Front
	Scheme string
	Render render.Options
	Log    *slog.Logger
	// Health is where /healthz and /readyz are served. Empty: nowhere.
	Health string
	// LeaderElection is the namespace of the lease by which one of several
	// controllers works. Empty means that this is the only one.
	LeaderElection string
}

// workers bounds how many services are reconciled at a time.
const workers = 8

// Run reconciles until ctx ends.
func Run(ctx context.Context, c Config) error {
	logger := logr.FromSlogHandler(c.Log.Handler())
	log.SetLogger(logger)
	caches := newCaches()
	m, err := manager(c, logger, caches)
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

func manager(c Config, logger logr.Logger, packed caches) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), v1alpha1.AddToScheme(scheme), v1beta1.AddToScheme(scheme), gatewayv1.Install(scheme)); err != nil {
		return nil, err
	}
	ours, err := labels.NewRequirement(v1beta1.LabelService, selection.Exists, nil)
	if err != nil {
		return nil, err
	}
	labelled := cache.ByObject{Label: labels.NewSelector().Add(*ours)}
	objects := map[client.Object]cache.ByObject{}
	if c.Front.Exists() {
		fronts := labelled
		fronts.Namespaces = map[string]cache.Config{c.Front.Namespace: {}}
		objects[emptyFront(c.Front)] = fronts
	}
	for _, k := range packed.all() {
		one := cache.ByObject{}
		if k.labelled {
			one = labelled
		}
		one.Transform = k.Transform
		objects[k.empty] = one
	}
	cfg := rest.CopyConfig(c.REST)
	cfg.QPS = -1 // the API server's own fairness is the limit
	skip := true
	return ctrl.NewManager(cfg, ctrl.Options{
		Scheme:                        scheme,
		Logger:                        logger,
		Metrics:                       metricsserver.Options{BindAddress: "0"},
		HealthProbeBindAddress:        cmp.Or(c.Health, "0"),
		LeaderElection:                c.LeaderElection != "",
		LeaderElectionNamespace:       c.LeaderElection,
		LeaderElectionID:              "serin-controller",
		LeaderElectionReleaseOnCancel: true,
		// Who is killed is followed within the first and two of the second, each
		// of which client-go stretches by up to 120%: 13.4 s.
		LeaseDuration: new(9 * time.Second),
		RetryPeriod:   new(time.Second),
		RenewDeadline: new(6 * time.Second),
		Cache: cache.Options{
			DefaultTransform: cache.TransformStripManagedFields(),
			ByObject:         objects,
		},
		// Names are checked per process, where a test may run several.
		Controller: config.Controller{SkipNameValidation: &skip},
	})
}

// synced says whether the caches hold what the API has, also in a controller
// that waits to become the leader.
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
	caches caches        // services and what they consist of
	reader client.Reader // cached: the rest
	api    client.Reader // not cached
	writer writer
}

// Reconcile brings one service to where its spec wants it.
func (r *reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	w, err := r.gather(ctx, req.NamespacedName)
	if err == nil && w == nil && r.Front.Exists() {
		err = r.writer.withdraw(ctx, r.Front, req.NamespacedName)
	}
	if err != nil || w == nil {
		return reconcile.Result{}, err
	}
	err = r.bring(ctx, w, time.Now())
	if errors.Is(err, errOutdated) {
		return reconcile.Result{RequeueAfter: time.Second}, nil
	}
	return reconcile.Result{}, err
}

// bring decides and writes. What the API refuses is said in the status, and
// returned, so that it is tried again.
func (r *reconciler) bring(ctx context.Context, w *world, now time.Time) error {
	plan := w.decide(r.Config, now)
	refused := r.start(ctx, w, plan)
	if errors.Is(refused, errOutdated) {
		return refused
	}
	if refused != nil {
		w.invalid = &rollout.Invalid{Reason: v1beta1.InvalidPredictorSpec, Message: refused.Error()}
		plan = w.decide(r.Config, now)
	}
	objects := w.objects(plan, r.Config)
	refusals, err := r.writer.grow(ctx, objects)
	refused = errors.Join(refused, err) // also of a late cache: it stops no status
	if w.refusals = refusals; len(refusals) > 0 {
		plan = w.decide(r.Config, now)
	}
	changed := false
	if !equality.Semantic.DeepEqual(w.service.Status, plan.Status) {
		if changed, err = r.writer.store(ctx, w.service, plan); err != nil {
			if !errors.Is(err, errOutdated) {
				r.writer.complain(ctx, w.service, err)
			}
			return err
		}
	}
	if changed {
		logDecision(ctx, plan)
		return refused
	}
	err = r.writer.letGo(ctx, w, plan, objects)
	if err != nil && !errors.Is(err, errOutdated) {
		r.writer.complain(ctx, w.service, err)
	}
	return errors.Join(refused, err)
}

// start tries and records the revision that a plan creates, if any.
func (r *reconciler) start(ctx context.Context, w *world, p rollout.Plan) error {
	n := p.New()
	if n == nil {
		return nil
	}
	o := w.render(*n, w.revision(*n))
	if err := r.writer.try(ctx, o.Deployment); err != nil {
		return err
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

// SPDX-License-Identifier: Apache-2.0

// Package autoscaler alone writes the replicas of revisions. It reads what the
// rollout needs off the annotations of their Deployments, hears from the
// routers what load they have, asks package scale, and applies `spec.replicas`.
// It writes nothing else, and all it remembers are the last minutes' load.
//
// A revision is looked at when its Deployment changes, when a router has news
// of it, or when a delay ends. One without requests costs nothing. A request
// that waits for the first Pod is such news, and a router sends it at once.
package autoscaler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/go-logr/logr"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/config"
	ctrlcontroller "sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/scale"
)

// Config says how the autoscaler reaches the API.
type Config struct {
	REST *rest.Config
	Log  *slog.Logger
	// LeaderElection is the namespace of the lease by which one of several
	// autoscalers works. Empty means that this is the only one.
	LeaderElection string
	// Routers is the host:port of the routers' admin listeners. The host may
	// stand for many. Empty means that nobody measures load.
	Routers string
}

// fieldOwner owns spec.replicas.
const fieldOwner = client.FieldOwner("serin-autoscaler")

// workers bounds how many Deployments are scaled at a time.
const workers = 8

// Run scales revisions until ctx ends.
func Run(ctx context.Context, c Config) error {
	logger := logr.FromSlogHandler(c.Log.Handler())
	log.SetLogger(logger)
	m, err := newManager(c, logger)
	if err != nil {
		return fmt.Errorf("make autoscaler: %w", err)
	}
	r := &reconciler{client: m.GetClient(), loads: newLoads(c.Routers != "")}
	news := make(chan event.GenericEvent)
	if c.Routers != "" {
		f := &follower{routers: c.Routers, loads: r.loads, wake: waker(news), log: c.Log}
		if err := m.Add(manager.RunnableFunc(f.run)); err != nil {
			return fmt.Errorf("follow routers: %w", err)
		}
	}
	err = ctrl.NewControllerManagedBy(m).
		Named("autoscaler").
		For(&appsv1.Deployment{}).
		WatchesRawSource(source.Channel(news, &handler.EnqueueRequestForObject{})).
		WithOptions(ctrlcontroller.Options{
			MaxConcurrentReconciles: workers,
			LogConstructor: func(req *reconcile.Request) logr.Logger {
				if req == nil {
					return m.GetLogger()
				}
				return m.GetLogger().WithValues("deployment", req.String())
			},
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](5*time.Millisecond, 30*time.Second),
		}).
		Complete(r)
	if err != nil {
		return fmt.Errorf("watch Deployments: %w", err)
	}
	return m.Start(ctx)
}

func newManager(c Config, logger logr.Logger) (ctrl.Manager, error) {
	scheme := runtime.NewScheme()
	if err := errors.Join(appsv1.AddToScheme(scheme), corev1.AddToScheme(scheme)); err != nil {
		return nil, err
	}
	ours, err := labels.NewRequirement(v1beta1.LabelService, selection.Exists, nil)
	if err != nil {
		return nil, err
	}
	cfg := rest.CopyConfig(c.REST)
	cfg.QPS = -1 // the API server's own fairness is the limit
	skip := true
	return ctrl.NewManager(cfg, ctrl.Options{
		Scheme:                        scheme,
		Logger:                        logger,
		Metrics:                       metricsserver.Options{BindAddress: "0"},
		LeaderElection:                c.LeaderElection != "",
		LeaderElectionNamespace:       c.LeaderElection,
		LeaderElectionID:              "serin-autoscaler",
		LeaderElectionReleaseOnCancel: true,
		LeaseDuration:                 new(9 * time.Second), // as the controller's
		RetryPeriod:                   new(time.Second),
		RenewDeadline:                 new(6 * time.Second),
		Cache: cache.Options{ByObject: map[client.Object]cache.ByObject{
			&appsv1.Deployment{}: {Label: labels.NewSelector().Add(*ours), Transform: onlyScale},
		}},
		// Names are checked per process, where a test may run several.
		Controller: config.Controller{SkipNameValidation: &skip},
	})
}

// waker returns what passes the news of a Deployment's load to the controller.
func waker(news chan<- event.GenericEvent) func(context.Context, types.NamespacedName) {
	return func(ctx context.Context, deployment types.NamespacedName) {
		d := &appsv1.Deployment{}
		d.Namespace, d.Name = deployment.Namespace, deployment.Name
		select {
		case news <- event.GenericEvent{Object: d}:
		case <-ctx.Done():
		}
	}
}

// onlyScale drops from cached Deployments what no decision reads.
func onlyScale(o any) (any, error) {
	if d, ok := o.(*appsv1.Deployment); ok {
		d.Labels, d.OwnerReferences, d.ManagedFields = nil, nil, nil
		d.Spec = appsv1.DeploymentSpec{Replicas: d.Spec.Replicas}
		d.Status = appsv1.DeploymentStatus{ReadyReplicas: d.Status.ReadyReplicas}
	}
	return o, nil
}

type reconciler struct {
	client client.Client // reads are cached
	loads  *loads
}

// Reconcile scales one revision.
func (r *reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var d appsv1.Deployment
	err := r.client.Get(ctx, req.NamespacedName, &d)
	if apierrors.IsNotFound(err) {
		r.loads.forget(req.NamespacedName)
		return reconcile.Result{}, nil
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	in, ok := input(&d, time.Now())
	if !ok || d.DeletionTimestamp != nil {
		return reconcile.Result{}, nil
	}
	plan := r.loads.decide(req.NamespacedName, steadily(in))
	if plan.Replicas != in.Replicas {
		if err := r.apply(ctx, &d, plan.Replicas); err != nil {
			return reconcile.Result{}, ignoreGone(err)
		}
		log.FromContext(ctx).Info("scaled", "from", in.Replicas, "to", plan.Replicas, "why", plan.Why)
	}
	return reconcile.Result{RequeueAfter: plan.Again}, nil
}

// input reads what the controller noted on the Deployment. Without notes, or
// with broken ones, it is not ours to scale.
func input(d *appsv1.Deployment, now time.Time) (scale.Input, bool) {
	in := scale.Input{Replicas: 1, Ready: d.Status.ReadyReplicas, Now: now}
	if d.Spec.Replicas != nil {
		in.Replicas = *d.Spec.Replicas
	}
	var errs [5]error
	in.Active, errs[0] = strconv.ParseBool(d.Annotations[v1beta1.AnnotationActive])
	in.Min, errs[1] = count(d.Annotations[v1beta1.AnnotationMinReplicas])
	in.Max, errs[2] = count(cmp.Or(d.Annotations[v1beta1.AnnotationMaxReplicas], "0"))
	in.Settings, errs[3] = scale.Read(d.Annotations)
	if since, noted := d.Annotations[v1beta1.AnnotationIdleSince]; noted {
		in.IdleSince, errs[4] = time.Parse(time.RFC3339, since)
	}
	return in, errors.Join(errs[:]...) == nil
}

func count(s string) (int32, error) {
	n, err := strconv.ParseInt(s, 10, 32)
	if n < 0 {
		err = fmt.Errorf("%d replicas", n)
	}
	return int32(n), err
}

// apply claims spec.replicas of the very Deployment that was read: one of an
// outdated cache must not be scaled down after it became active again, and one
// that is gone must not come back.
func (r *reconciler) apply(ctx context.Context, d *appsv1.Deployment, replicas int32) error {
	ac := appsv1ac.Deployment(d.Name, d.Namespace).
		WithUID(d.UID).
		WithResourceVersion(d.ResourceVersion).
		WithSpec(appsv1ac.DeploymentSpec().WithReplicas(replicas))
	if err := r.client.Apply(ctx, ac, fieldOwner, client.ForceOwnership); err != nil {
		return fmt.Errorf("apply replicas: %w", err)
	}
	return nil
}

// ignoreGone drops the errors of scaling an outdated Deployment: the newer one
// is on its way to the cache, and its arrival reconciles again.
func ignoreGone(err error) error {
	if apierrors.IsConflict(err) && !apierrors.HasStatusCause(err, metav1.CauseTypeFieldManagerConflict) {
		return nil
	}
	return client.IgnoreNotFound(err)
}

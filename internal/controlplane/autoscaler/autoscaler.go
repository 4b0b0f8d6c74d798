// SPDX-License-Identifier: Apache-2.0

// Package autoscaler is the only writer of the replicas of revisions. It reads
// what the controller demands from the annotations of a Deployment, follows the
// load that the routers report, asks package scale, and applies `spec.replicas`.
// Besides that it writes events. Its only memory is the load of the last minutes.
//
// A revision is decided about when its Deployment changes, when a router reports
// its load, or when a delay ends. A revision without requests costs nothing. A
// router reports at once when a request waits for the first Pod.
package autoscaler

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/selection"
	"k8s.io/apimachinery/pkg/types"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/operator"
	"github.com/serin-dev/serin/internal/controlplane/scale"
)

// Config says how the autoscaler reaches the API and the routers.
type Config struct {
	operator.Config
	// Routers is the host:port of the routers' admin listeners. The host may
	// resolve to many. Empty means that no load is measured.
	Routers string
}

// name is that of the lease and of the owner of spec.replicas.
const name = "serin-autoscaler"

// workers bounds how many Deployments are scaled at a time.
const workers = 8

// Run scales revisions until ctx ends.
func Run(ctx context.Context, c Config) error {
	ours, err := labels.NewRequirement(v1beta1.LabelService, selection.Exists, nil)
	if err != nil {
		return err
	}
	m, err := c.Manager(name, operator.Options{
		Scheme: []func(*runtime.Scheme) error{appsv1.AddToScheme, corev1.AddToScheme},
		Cache: cache.Options{ByObject: map[client.Object]cache.ByObject{
			&appsv1.Deployment{}: {Label: labels.NewSelector().Add(*ours), Transform: onlyScale},
		}},
	})
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
		WithOptions(operator.Workers(m, workers, "deployment")).
		Complete(r)
	if err != nil {
		return fmt.Errorf("watch Deployments: %w", err)
	}
	return m.Start(ctx)
}

// waker returns a function that has a Deployment reconciled.
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

// onlyScale drops the fields of cached Deployments that no decision reads.
func onlyScale(o any) (any, error) {
	if d, ok := o.(*appsv1.Deployment); ok {
		d.Labels, d.OwnerReferences, d.ManagedFields = nil, nil, nil
		d.Spec = appsv1.DeploymentSpec{Replicas: d.Spec.Replicas}
		d.Status = appsv1.DeploymentStatus{ReadyReplicas: d.Status.ReadyReplicas}
	}
	return o, nil
}

type reconciler struct {
	client   client.Client // reads are cached
	loads    *loads
	reported sync.Map // by types.NamespacedName, the hash of the error that was recorded last
}

// Reconcile scales one revision.
func (r *reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	var d appsv1.Deployment
	err := r.client.Get(ctx, req.NamespacedName, &d)
	if apierrors.IsNotFound(err) {
		r.loads.forget(req.NamespacedName)
		r.reported.Delete(req.NamespacedName)
		return reconcile.Result{}, nil
	}
	if err != nil {
		return reconcile.Result{}, err
	}
	if _, demanded := d.Annotations[v1beta1.AnnotationActive]; !demanded || d.DeletionTimestamp != nil {
		return reconcile.Result{}, nil // the controller demands nothing
	}
	in, err := input(&d, time.Now())
	if err != nil {
		r.broken(ctx, &d, err)
		return reconcile.Result{}, nil // a change of the annotations reconciles again
	}
	r.reported.Delete(req.NamespacedName)
	plan := r.loads.decide(req.NamespacedName, steadily(in))
	if plan.Replicas != in.Replicas {
		if err := r.apply(ctx, &d, plan.Replicas); err != nil {
			return reconcile.Result{}, operator.IgnoreStale(err)
		}
		log.FromContext(ctx).Info("scaled", "from", in.Replicas, "to", plan.Replicas, "why", plan.Why)
	}
	return reconcile.Result{RequeueAfter: plan.Again}, nil
}

// input reads the demand and the replicas of a Deployment.
func input(d *appsv1.Deployment, now time.Time) (scale.Input, error) {
	demand, err := scale.ParseDemand(d.Annotations)
	settings, unread := scale.Read(demand.Tuning)
	in := scale.Input{
		Replicas: 1, Ready: d.Status.ReadyReplicas, Now: now,
		Active: demand.Active, IdleSince: demand.IdleSince, Min: demand.Min, Max: demand.Max, Settings: settings,
	}
	if d.Spec.Replicas != nil {
		in.Replicas = *d.Spec.Replicas
	}
	return in, errors.Join(err, unread)
}

// broken logs and records, once, that a Deployment keeps its replicas, because its
// demand cannot be read. The event's name is a hash of the error, so that another
// error is another event. Only the hash is kept: an error can be as long as the
// annotations.
func (r *reconciler) broken(ctx context.Context, d *appsv1.Deployment, err error) {
	sum := sha256.Sum256([]byte(err.Error()))
	if was, _ := r.reported.Swap(client.ObjectKeyFromObject(d), sum); was == sum {
		return
	}
	log.FromContext(ctx).Error(err, "cannot scale")
	operator.Record(ctx, r.client, name, operator.Event{
		Name: fmt.Sprintf("%s.%x", d.Name, sum[:8]),
		Regarding: corev1.ObjectReference{
			APIVersion: "apps/v1", Kind: "Deployment", Namespace: d.Namespace, Name: d.Name, UID: d.UID,
		},
		Type: corev1.EventTypeWarning, Reason: "BrokenAnnotations", Message: "cannot scale: " + err.Error(),
	})
}

// apply claims spec.replicas of the very Deployment that was read. A decision on
// an outdated cache must not scale down a revision that is active again, nor
// bring back one that is gone.
func (r *reconciler) apply(ctx context.Context, d *appsv1.Deployment, replicas int32) error {
	ac := appsv1ac.Deployment(d.Name, d.Namespace).
		WithUID(d.UID).
		WithResourceVersion(d.ResourceVersion).
		WithSpec(appsv1ac.DeploymentSpec().WithReplicas(replicas))
	if err := r.client.Apply(ctx, ac, client.FieldOwner(name), client.ForceOwnership); err != nil {
		return fmt.Errorf("apply replicas: %w", err)
	}
	return nil
}

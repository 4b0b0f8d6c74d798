// SPDX-License-Identifier: Apache-2.0

// Package descheduler evicts one of Serin's own Pods if several of a Deployment
// share a node and another node can take one. Draining each node in turn leaves
// them on one node, and the scheduler never moves a running Pod. Package spread
// decides.
//
// The descheduler handles the Deployments of one namespace that are labelled as
// part of Serin. It reads all nodes, reduced to what spread needs, and the Pods
// of the node that is to take one. It records an eviction on the Deployment, and
// then asks the API for it, which refuses if the PodDisruptionBudget does.
// Between changes it does nothing.
package descheduler

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/operator"
	"github.com/serin-dev/serin/internal/controlplane/spread"
)

// Config says how the descheduler reaches the API.
type Config struct {
	operator.Config
	// Namespace is that of the Deployments and Pods.
	Namespace string
}

const (
	// name is that of the lease and of the owner of the record of evictions.
	name = "serin-descheduler"
	// candidates bounds the nodes that are checked for room before an eviction.
	candidates = 10
	// retryAfter is when they are checked again if none has room. The cache does
	// not hold the Pods of others, so no change is noticed.
	retryAfter = 5 * time.Minute
)

// Run spreads Pods until ctx ends.
func Run(ctx context.Context, c Config) error {
	ours := cache.ByObject{
		Label:      labels.SelectorFromSet(labels.Set{v1beta1.LabelPartOf: v1beta1.PartOf}),
		Namespaces: map[string]cache.Config{c.Namespace: {}},
	}
	m, err := c.Manager(name, operator.Options{
		Scheme: []func(*runtime.Scheme) error{appsv1.AddToScheme, corev1.AddToScheme, policyv1.AddToScheme},
		Cache: cache.Options{
			DefaultTransform: cache.TransformStripManagedFields(),
			ByObject: map[client.Object]cache.ByObject{
				&appsv1.Deployment{}: ours,
				&corev1.Pod{}:        ours,
				&corev1.Node{}:       {Transform: onlyPlace},
			},
		},
	})
	if err != nil {
		return fmt.Errorf("make descheduler: %w", err)
	}
	r := &reconciler{client: m.GetClient(), api: m.GetAPIReader()}
	err = ctrl.NewControllerManagedBy(m).
		Named("descheduler").
		For(&appsv1.Deployment{}).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(r.deploymentOfPod)).
		Watches(&corev1.Node{}, handler.EnqueueRequestsFromMapFunc(r.allDeployments), builder.WithPredicates(predicate.Funcs{UpdateFunc: changed})).
		WithOptions(operator.Workers(m, 1, "deployment")).
		Complete(r)
	if err != nil {
		return fmt.Errorf("watch Deployments, Pods and nodes: %w", err)
	}
	return m.Start(ctx)
}

// onlyPlace drops the fields of cached nodes that no decision reads.
func onlyPlace(o any) (any, error) {
	n, ok := o.(*corev1.Node)
	if !ok {
		return o, nil
	}
	kept := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: n.Name, UID: n.UID, ResourceVersion: n.ResourceVersion, Labels: n.Labels, DeletionTimestamp: n.DeletionTimestamp,
		},
		Spec:   corev1.NodeSpec{Unschedulable: n.Spec.Unschedulable, Taints: n.Spec.Taints},
		Status: corev1.NodeStatus{Allocatable: n.Status.Allocatable},
	}
	for _, c := range n.Status.Conditions {
		if c.Type == corev1.NodeReady {
			kept.Status.Conditions = []corev1.NodeCondition{{Type: c.Type, Status: c.Status, LastTransitionTime: c.LastTransitionTime}}
		}
	}
	return kept, nil
}

// changed leaves out a node's heartbeats.
func changed(e event.UpdateEvent) bool {
	before, ok1 := e.ObjectOld.(*corev1.Node)
	after, ok2 := e.ObjectNew.(*corev1.Node)
	if !ok1 || !ok2 {
		return true
	}
	return !equality.Semantic.DeepEqual(before.Labels, after.Labels) ||
		!equality.Semantic.DeepEqual(before.Spec, after.Spec) || !equality.Semantic.DeepEqual(before.Status, after.Status)
}

type reconciler struct {
	client client.Client // reads are cached
	api    client.Reader // not cached
}

// deploymentOfPod maps a Pod to its Deployment: its label has the name.
func (r *reconciler) deploymentOfPod(_ context.Context, o client.Object) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetLabels()[v1beta1.LabelPartName]}}}
}

func (r *reconciler) allDeployments(ctx context.Context, _ client.Object) (out []reconcile.Request) {
	var list appsv1.DeploymentList
	if err := r.client.List(ctx, &list); err != nil {
		log.FromContext(ctx).Error(err, "cannot list Deployments")
	}
	for _, d := range list.Items {
		out = append(out, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&d)})
	}
	return out
}

// Reconcile evicts one Pod of a Deployment, or none.
func (r *reconciler) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	in, err := r.gather(ctx, req.NamespacedName)
	if err != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err)
	}
	plan := spread.Decide(in)
	if plan.Evict == nil {
		return reconcile.Result{RequeueAfter: plan.Again}, nil
	}
	to, err := r.room(ctx, plan)
	if err != nil {
		return reconcile.Result{}, err
	}
	if to == "" {
		return reconcile.Result{RequeueAfter: retryAfter}, nil
	}
	if err := r.record(ctx, in.Deployment, plan.Record); err != nil {
		return reconcile.Result{}, operator.IgnoreStale(err)
	}
	// The record on the Deployment says when to try again.
	switch err := r.evict(ctx, plan.Evict); {
	case apierrors.IsTooManyRequests(err):
		log.FromContext(ctx).Info("may not evict yet", "pod", plan.Evict.Name, "why", err.Error())
	case err != nil:
		return reconcile.Result{}, operator.IgnoreStale(err)
	default:
		why := fmt.Sprintf("Pod %s shares node %s with another, and node %s has room", plan.Evict.Name, plan.Evict.Spec.NodeName, to)
		log.FromContext(ctx).Info("evicted", "why", why, "evictions", plan.Record.Count)
		operator.Record(ctx, r.client, name, operator.Event{
			Name: plan.Evict.Name + ".evicted", // once for each Pod
			Regarding: corev1.ObjectReference{
				APIVersion: "apps/v1", Kind: "Deployment", Namespace: in.Deployment.Namespace, Name: in.Deployment.Name, UID: in.Deployment.UID,
			},
			Type: corev1.EventTypeNormal, Reason: "Evicted", Message: why,
		})
	}
	return reconcile.Result{}, nil
}

func (r *reconciler) gather(ctx context.Context, name types.NamespacedName) (spread.Input, error) {
	in := spread.Input{Deployment: &appsv1.Deployment{}, Now: time.Now()}
	if err := r.client.Get(ctx, name, in.Deployment); err != nil {
		return in, err
	}
	selector, err := metav1.LabelSelectorAsSelector(in.Deployment.Spec.Selector)
	if err != nil {
		return in, reconcile.TerminalError(fmt.Errorf("read the selector of %s: %w", name, err))
	}
	var pods corev1.PodList
	var nodes corev1.NodeList
	if err := errors.Join(
		r.client.List(ctx, &pods, client.InNamespace(name.Namespace), client.MatchingLabelsSelector{Selector: selector}),
		r.client.List(ctx, &nodes, client.UnsafeDisableDeepCopy), // Decide writes nothing
	); err != nil {
		return in, err
	}
	in.Pods, in.Nodes = pods.Items, nodes.Items
	if in.Last, err = spread.ParseRecord(in.Deployment.Annotations[v1beta1.AnnotationEvictions]); err != nil {
		log.FromContext(ctx).Error(err, "previous evictions are unknown", "annotation", v1beta1.AnnotationEvictions)
	}
	return in, nil
}

// room returns the first node that has the resources for the replacement.
func (r *reconciler) room(ctx context.Context, p spread.Plan) (string, error) {
	for _, n := range p.To[:min(len(p.To), candidates)] {
		var there corev1.PodList
		if err := r.api.List(ctx, &there, client.MatchingFields{"spec.nodeName": n.Name}); err != nil {
			return "", fmt.Errorf("list the Pods of node %s: %w", n.Name, err)
		}
		if spread.Fits(p.Evict, n, there.Items) {
			return n.Name, nil
		}
	}
	return "", nil
}

// record claims the annotation of the very Deployment that was read. A decision
// on an outdated cache must not evict a second Pod.
func (r *reconciler) record(ctx context.Context, d *appsv1.Deployment, to spread.Record) error {
	ac := appsv1ac.Deployment(d.Name, d.Namespace).
		WithUID(d.UID).
		WithResourceVersion(d.ResourceVersion).
		WithAnnotations(map[string]string{v1beta1.AnnotationEvictions: to.String()})
	if err := r.client.Apply(ctx, ac, client.FieldOwner(name), client.ForceOwnership); err != nil {
		return fmt.Errorf("record the eviction: %w", err)
	}
	return nil
}

func (r *reconciler) evict(ctx context.Context, p *corev1.Pod) error {
	err := r.client.SubResource("eviction").Create(ctx, p, &policyv1.Eviction{
		DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &p.UID}},
	})
	if err != nil {
		return fmt.Errorf("evict Pod %s: %w", p.Name, err)
	}
	return nil
}

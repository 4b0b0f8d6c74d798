// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/operator"
)

func (r *reconciler) watch(m ctrl.Manager) error {
	b := ctrl.NewControllerManagedBy(m)
	if r.ExternalRoute.Enabled() {
		b.Watches(emptyRoute(r.ExternalRoute), handler.EnqueueRequestsFromMapFunc(serviceOfRoute))
	}
	return b.
		For(r.caches.services.empty).
		Owns(&appsv1.ControllerRevision{}).
		Owns(&appsv1.Deployment{}).
		Owns(&corev1.Service{}).
		Owns(&corev1.ConfigMap{}).
		Watches(r.caches.services.empty, handler.EnqueueRequestsFromMapFunc(r.rivals)).
		Watches(&corev1.Pod{}, handler.EnqueueRequestsFromMapFunc(serviceOfPod)).
		Watches(r.caches.runtimes.empty, handler.EnqueueRequestsFromMapFunc(r.invalidServices)).
		Watches(r.caches.clusterRuntimes.empty, handler.EnqueueRequestsFromMapFunc(r.invalidServices)).
		WithOptions(operator.Workers(m, workers, "service")).
		Complete(r)
}

// serviceOfPod maps a Pod to its service by label: a ReplicaSet owns it.
func serviceOfPod(_ context.Context, o client.Object) []reconcile.Request {
	return []reconcile.Request{{NamespacedName: types.NamespacedName{
		Namespace: o.GetNamespace(), Name: o.GetLabels()[v1beta1.LabelService],
	}}}
}

// invalidServices maps a runtime to the services that it could make valid. A
// changed runtime changes nothing that runs. A service that becomes invalid at
// the same time is not missed: its new status reconciles it again, with the
// runtime in the cache.
func (r *reconciler) invalidServices(_ context.Context, runtime client.Object) []reconcile.Request {
	services, err := r.caches.services.ByIndex(byInvalid, runtime.GetNamespace())
	if err != nil {
		return nil // there is such an index
	}
	var out []reconcile.Request
	for _, o := range services {
		if s, ok := o.(metav1.Object); ok {
			out = append(out, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: s.GetNamespace(), Name: s.GetName()}})
		}
	}
	return out
}

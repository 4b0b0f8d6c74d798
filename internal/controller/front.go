// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	gatewayv1 "sigs.k8s.io/gateway-api/apis/v1"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/render"
)

// emptyFront is an object of the kind that leads a front's requests to the
// router. It lies beside the router and not with its service, for no backend
// may lie elsewhere; so no owner deletes it, and withdraw does.
func emptyFront(f render.Front) client.Object {
	if f.Gateway != "" {
		return &gatewayv1.HTTPRoute{}
	}
	return &networkingv1.Ingress{}
}

// serviceOfFront also finds services that were deleted while nobody watched.
func serviceOfFront(_ context.Context, o client.Object) []reconcile.Request {
	name, namespace, _ := strings.Cut(o.GetName(), ".")
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}}
}

// readFront reads a service's object of that kind, if there is one.
func (r *reconciler) readFront(ctx context.Context, w *world) error {
	if !r.Front.Exists() {
		return nil
	}
	front := emptyFront(r.Front)
	err := r.reader.Get(ctx, types.NamespacedName{Namespace: r.Front.Namespace, Name: render.FrontName(w.service.Namespace, w.service.Name)}, front)
	if err == nil {
		w.front = front
	}
	return client.IgnoreNotFound(err)
}

// hostnames are all that the status promises.
func hostnames(s v1beta1.InferenceServiceStatus) []string {
	predictor := s.Components[v1beta1.Predictor]
	urls := []string{s.URL, predictor.URL}
	for _, t := range predictor.Traffic {
		urls = append(urls, t.URL)
	}
	var out []string
	for _, u := range urls {
		if u, err := url.Parse(u); err == nil && u.Host != "" {
			out = append(out, u.Host)
		}
	}
	return out
}

// withdraw deletes what led to a service that is gone.
func (w writer) withdraw(ctx context.Context, f render.Front, service types.NamespacedName) error {
	front := emptyFront(f)
	front.SetNamespace(f.Namespace)
	front.SetName(render.FrontName(service.Namespace, service.Name))
	if err := w.client.Delete(ctx, front); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete %T %s: %w", front, front.GetName(), err)
	}
	return nil
}

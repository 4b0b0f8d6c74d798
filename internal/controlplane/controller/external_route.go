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
	"github.com/serin-dev/serin/internal/controlplane/render"
)

// emptyRoute returns an empty HTTPRoute or Ingress. The service's own lies in the
// namespace of the router, because a backend must be in the namespace of its
// route. An owner reference cannot cross namespaces, so deleteRoute deletes it.
func emptyRoute(r render.ExternalRoute) client.Object {
	if r.Gateway != "" {
		return &gatewayv1.HTTPRoute{}
	}
	return &networkingv1.Ingress{}
}

// serviceOfRoute maps an external route to its service, which may be deleted.
func serviceOfRoute(_ context.Context, o client.Object) []reconcile.Request {
	name, namespace, _ := strings.Cut(o.GetName(), ".")
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}}
}

// readExternalRoute reads a service's HTTPRoute or Ingress, if there is one.
func (r *reconciler) readExternalRoute(ctx context.Context, s *snapshot) error {
	if !r.ExternalRoute.Enabled() {
		return nil
	}
	route := emptyRoute(r.ExternalRoute)
	err := r.reader.Get(ctx, types.NamespacedName{Namespace: r.ExternalRoute.Namespace, Name: render.ExternalRouteName(s.service.Namespace, s.service.Name)}, route)
	if err == nil {
		s.externalRoute = route
	}
	return client.IgnoreNotFound(err)
}

// hostnames returns the hosts that a status names.
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

// deleteRoute deletes the external route of a service that is gone.
func (w writer) deleteRoute(ctx context.Context, r render.ExternalRoute, service types.NamespacedName) error {
	route := emptyRoute(r)
	route.SetNamespace(r.Namespace)
	route.SetName(render.ExternalRouteName(service.Namespace, service.Name))
	if err := w.client.Delete(ctx, route); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("delete %T %s: %w", route, route.GetName(), err)
	}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"maps"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/hosts"
)

// byName is the index of services by NAMESPACE/LABEL of every name that each may
// want. Names of two services can be the same: see package hosts.
const byName = "name"

var nameIndex = toolscache.Indexers{byName: func(o any) ([]string, error) {
	service, ok := o.(metav1.Object)
	if !ok {
		return nil, nil
	}
	var keys []string
	for _, label := range hosts.Wanted(service.GetName()) {
		keys = append(keys, service.GetNamespace()+"/"+label)
	}
	return keys, nil
}}

// contenders returns the other services that want one of this service's names.
func (c caches) contenders(service types.NamespacedName) ([]types.NamespacedName, error) {
	found := map[types.NamespacedName]bool{}
	for _, wanted := range hosts.Wanted(service.Name) {
		for _, label := range hosts.Related(wanted) {
			objects, err := c.services.ByIndex(byName, service.Namespace+"/"+label)
			if err != nil {
				return nil, err
			}
			for _, o := range objects {
				if other, ok := o.(metav1.Object); ok && other.GetName() != service.Name {
					found[types.NamespacedName{Namespace: other.GetNamespace(), Name: other.GetName()}] = true
				}
			}
		}
	}
	return slices.SortedFunc(maps.Keys(found), func(a, b types.NamespacedName) int { return strings.Compare(a.Name, b.Name) }), nil
}

// taken returns the names that the service wants and others have, with their owners.
func (c caches) taken(service *v1beta1.InferenceService) (map[string]string, error) {
	keys, err := c.contenders(client.ObjectKeyFromObject(service))
	if err != nil || len(keys) == 0 {
		return nil, err
	}
	var others []hosts.Service
	for _, key := range keys {
		if o, _, err := c.service(key); err == nil && o != nil {
			others = append(others, claimant(o))
		}
	}
	return hosts.Taken(claimant(service), others), nil
}

// claimant is the part of a service that decides about names, as routers see it.
func claimant(s *v1beta1.InferenceService) hosts.Service {
	predictor := s.Status.Components[v1beta1.Predictor]
	out := hosts.Service{
		Namespace:        s.Namespace,
		Name:             s.Name,
		UID:              string(s.UID),
		Created:          s.CreationTimestamp.Unix(),
		HasHost:          hosts.Shows(s.Status.URL, s.Name),
		HasPredictorHost: hosts.Shows(predictor.URL, v1beta1.Predictor.Host("", s.Name)),
	}
	for _, t := range predictor.Traffic[:min(len(predictor.Traffic), v1beta1.MaxShares)] {
		if t.Tag != "" && hosts.Shows(t.URL, v1beta1.Predictor.Host(t.Tag, s.Name)) {
			out.Tags = append(out.Tags, t.Tag)
		}
	}
	return out
}

// rivals maps a service to those that its change may give a name, or take one from.
func (r *reconciler) rivals(_ context.Context, service client.Object) []reconcile.Request {
	keys, err := r.caches.contenders(client.ObjectKeyFromObject(service))
	if err != nil {
		return nil // there is such an index
	}
	var out []reconcile.Request
	for _, key := range keys {
		out = append(out, reconcile.Request{NamespacedName: key})
	}
	return out
}

// private reports whether the service has no address outside the cluster.
func private(s *v1beta1.InferenceService) bool {
	return v1beta1.Private(s.Labels, s.Spec.Predictor.Labels)
}

// unwanted returns objects that must not lead to the service: those under a name
// that another service has, and the external route of a private service.
func (s *snapshot) unwanted() []client.Object {
	var out []client.Object
	for name, address := range s.addresses {
		if s.taken[name] != "" {
			out = append(out, address)
		}
	}
	if s.externalRoute != nil && private(s.service) {
		out = append(out, s.externalRoute)
	}
	return out
}

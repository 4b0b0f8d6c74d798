// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/serin-dev/serin/api/v1alpha1"
	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/rollout"
)

// ErrOutdated is the end of a decision on an outdated cache.
var ErrOutdated = errOutdated

// Store writes a decision about a service as it was read, for tests of late caches.
func Store(ctx context.Context, c client.Client, s *v1beta1.InferenceService, p rollout.Plan) error {
	_, err := writer{client: c, api: c}.store(ctx, s, p)
	return err
}

// InvalidServices returns the services that a runtime of a namespace, or of the
// cluster if that is empty, could make valid.
func InvalidServices(t *testing.T, namespace string, services ...*unstructured.Unstructured) []reconcile.Request {
	t.Helper()
	c := newCaches()
	c.services.Indexer = toolscache.NewIndexer(toolscache.MetaNamespaceKeyFunc, invalidIndex)
	for _, s := range services {
		p, err := c.services.Transform(s)
		if err == nil {
			err = c.services.Add(p)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	runtime := unchecked(v1alpha1.GroupVersion.WithKind("ServingRuntime"))
	runtime.SetNamespace(namespace)
	return (&reconciler{caches: c}).invalidServices(t.Context(), runtime)
}

// ReadService reads a service as the API gave it.
func ReadService(u *unstructured.Unstructured) (*v1beta1.InferenceService, *rollout.Invalid, error) {
	c := newCaches()
	p, err := c.services.Transform(u)
	if err != nil {
		return nil, nil, err
	}
	c.services.Indexer = toolscache.NewIndexer(toolscache.MetaNamespaceKeyFunc, nil)
	if err := c.services.Add(p); err != nil {
		return nil, nil, err
	}
	return c.service(client.ObjectKeyFromObject(u))
}

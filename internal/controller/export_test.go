// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/rollout"
)

// ErrOutdated is the end of a decision on an outdated cache.
var ErrOutdated = errOutdated

// Store writes a decision about a service as it was read, for tests of late caches.
func Store(ctx context.Context, c client.Client, s *v1beta1.InferenceService, p rollout.Plan) error {
	_, err := writer{client: c, api: c}.store(ctx, s, p)
	return err
}

// ReadService reads a service as the API gave it.
func ReadService(u *unstructured.Unstructured) (*v1beta1.InferenceService, *rollout.Invalid, error) {
	s := newShelves()
	p, err := s.services.pack(u)
	if err != nil {
		return nil, nil, err
	}
	s.services.objects = toolscache.NewIndexer(toolscache.MetaNamespaceKeyFunc, nil)
	if err := s.services.objects.Add(p); err != nil {
		return nil, nil, err
	}
	return s.service(client.ObjectKeyFromObject(u))
}

// Shelve puts an object on a shelf after another of its kind, and returns what
// lies there and what is read of it.
func Shelve[T any, P interface {
	*T
	client.Object
}](first, o P) (held, read client.Object, err error) {
	s := &shelf{empty: P(new(T))}
	if _, err := s.pack(first); err != nil {
		return nil, nil, err
	}
	p, err := s.pack(o)
	if err == nil {
		p, err = s.pack(p) // as informers do
	}
	if err != nil {
		return nil, nil, err
	}
	into := P(new(T))
	return p.(client.Object), into, s.unpack(p, into)
}

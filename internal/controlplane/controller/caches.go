// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	toolscache "k8s.io/client-go/tools/cache"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1alpha1"
	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/controller/packed"
	"github.com/serin-dev/serin/internal/controlplane/rollout"
)

// caches hold, packed, the objects of which there are some for each service.
type caches struct {
	services, revisions, deployments, addresses, models, pods *kind
	// runtimes and clusterRuntimes are few. They are here because users write them.
	runtimes, clusterRuntimes *kind
}

// kind is the cache of one kind of objects.
type kind struct {
	packed.Cache
	empty client.Object
	// labelled is set if the cache holds only objects with the label of a service.
	labelled bool
}

func newCaches() caches {
	return caches{
		services:        &kind{empty: unchecked(v1beta1.Kind), Cache: packed.Cache{Mark: invalid}},
		revisions:       &kind{empty: &appsv1.ControllerRevision{}, labelled: true},
		deployments:     &kind{empty: &appsv1.Deployment{}, labelled: true},
		addresses:       &kind{empty: &corev1.Service{}, labelled: true},
		models:          &kind{empty: &corev1.ConfigMap{}, labelled: true},
		pods:            &kind{empty: &corev1.Pod{}, labelled: true},
		runtimes:        &kind{empty: unchecked(v1alpha1.GroupVersion.WithKind("ServingRuntime"))},
		clusterRuntimes: &kind{empty: unchecked(v1alpha1.GroupVersion.WithKind("ClusterServingRuntime"))},
	}
}

// unchecked is a kind whose schema does not check every field. One object that
// does not decode would stop a typed informer. Read as unstructured, it fails
// only its own service.
func unchecked(kind schema.GroupVersionKind) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(kind)
	return u
}

func (c caches) all() []*kind {
	return []*kind{c.services, c.revisions, c.deployments, c.addresses, c.models, c.pods, c.runtimes, c.clusterRuntimes}
}

// byService is the name of the index of objects by NAMESPACE/SERVICE.
const byService = "service"

func serviceIndex(o any) ([]string, error) {
	object, ok := o.(metav1.Object)
	if !ok {
		return nil, nil
	}
	return []string{object.GetNamespace() + "/" + object.GetLabels()[v1beta1.LabelService]}, nil
}

// byInvalid is the index of invalid services, by namespace and, as "", of all.
const byInvalid = "invalid"

var invalidIndex = toolscache.Indexers{byInvalid: func(o any) ([]string, error) {
	service, ok := o.(metav1.Object)
	if !ok || !packed.Marked(o) {
		return nil, nil
	}
	return []string{service.GetNamespace(), metav1.NamespaceAll}, nil
}}

// invalid reports whether the status of a service says that its spec is invalid.
func invalid(o packed.Object) bool {
	u, ok := o.(*unstructured.Unstructured)
	if !ok {
		return false
	}
	status, _, _ := unstructured.NestedString(u.Object, "status", "modelStatus", "transitionStatus")
	return status == string(v1beta1.InvalidSpec)
}

// open connects the caches to their informers, which hold the objects.
func (c caches) open(ctx context.Context, informers cache.Cache) error {
	for _, k := range c.all() {
		i, err := informers.GetInformer(ctx, k.empty)
		if err != nil {
			return err
		}
		shared, ok := i.(toolscache.SharedIndexInformer)
		if !ok {
			return fmt.Errorf("the informer of %T is a %T, which shows no index", k.empty, i)
		}
		if err := shared.AddIndexers(toolscache.Indexers{byService: serviceIndex}); err != nil {
			return err
		}
		k.Indexer = shared.GetIndexer()
	}
	return errors.Join(c.services.AddIndexers(nameIndex), c.services.AddIndexers(invalidIndex))
}

// service returns a service, nil if there is none. If its spec does not decode,
// it returns the rest, and why.
func (c caches) service(key types.NamespacedName) (*v1beta1.InferenceService, *rollout.Invalid, error) {
	o, ok, err := c.services.GetByKey(key.String())
	if err != nil || !ok {
		return nil, nil, err
	}
	raw, err := c.services.Raw(o)
	if err != nil {
		return nil, nil, fmt.Errorf("unpack service: %w", err)
	}
	service, wrong := v1beta1.DecodeService(raw)
	switch {
	case service == nil:
		return nil, nil, fmt.Errorf("read service: %w", wrong)
	case wrong != nil:
		return service, &rollout.Invalid{Reason: v1beta1.InvalidPredictorSpec, Message: unreadable(wrong)}, nil
	}
	return service, nil, nil
}

// of returns a service's objects of one kind.
func of[T any, P interface {
	*T
	packed.Object
}](k *kind, s *v1beta1.InferenceService) ([]T, error) {
	return packed.Of[T, P](&k.Cache, byService, client.ObjectKeyFromObject(s).String())
}

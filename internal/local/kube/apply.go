// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/metadata"
	"k8s.io/client-go/restmapper"
	"k8s.io/client-go/util/retry"

	"github.com/serin-dev/serin/internal/manifest"
)

// fieldOwner is the field manager of Apply.
const fieldOwner = "serin-install"

// Apply creates or replaces the objects of each tree's YAML files, in the order
// of their names, and waits until the kinds that they define are served. It
// restores objects that were changed or deleted. An object that is as shipped
// costs no write in etcd.
func (s *Server) Apply(ctx context.Context, trees ...fs.FS) error {
	d, err := discovery.NewDiscoveryClientForConfig(s.REST)
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(s.REST)
	if err != nil {
		return err
	}
	heads, err := metadata.NewForConfig(s.REST)
	if err != nil {
		return err
	}
	for _, tree := range trees {
		objects, err := manifest.Read(tree)
		if err != nil {
			return err
		}
		groups, err := restmapper.GetAPIGroupResources(d)
		if err != nil {
			return fmt.Errorf("ask what the API serves: %w", err)
		}
		mapper := restmapper.NewDiscoveryRESTMapper(groups)
		for _, o := range objects {
			if err := apply(ctx, client, heads, mapper, o); err != nil {
				return fmt.Errorf("apply %s %s: %w", o.GetKind(), o.GetName(), err)
			}
		}
		if err := waitServed(ctx, d, objects); err != nil {
			return err
		}
	}
	return nil
}

// apply creates or replaces one object without a namespace.
func apply(ctx context.Context, client dynamic.Interface, heads metadata.Interface, mapper meta.RESTMapper, o *unstructured.Unstructured) error {
	kind := o.GroupVersionKind()
	m, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return err
	}
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error { // a definition's status has its own writer
		head, err := heads.Resource(m.Resource).Get(ctx, o.GetName(), metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			_, err = client.Resource(m.Resource).Create(ctx, o, metav1.CreateOptions{FieldManager: fieldOwner})
		case err == nil:
			o.SetResourceVersion(head.ResourceVersion)
			_, err = client.Resource(m.Resource).Update(ctx, o, metav1.UpdateOptions{FieldManager: fieldOwner})
		}
		return err
	})
}

// waitServed waits until the kinds that definitions among objects define are
// served in all their versions.
func waitServed(ctx context.Context, d discovery.DiscoveryInterface, objects []*unstructured.Unstructured) error {
	for _, o := range objects {
		if o.GetKind() != "CustomResourceDefinition" {
			continue
		}
		group, _, _ := unstructured.NestedString(o.Object, "spec", "group")
		plural, _, _ := unstructured.NestedString(o.Object, "spec", "names", "plural")
		versions, _, _ := unstructured.NestedSlice(o.Object, "spec", "versions")
		for _, v := range versions {
			version, _, _ := unstructured.NestedString(v.(map[string]any), "name")
			if err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, readyTimeout, true, func(context.Context) (bool, error) {
				return serves(d, group+"/"+version, plural), nil
			}); err != nil {
				return fmt.Errorf("wait until %s is served: %w", o.GetName(), err)
			}
		}
	}
	return nil
}

func serves(d discovery.DiscoveryInterface, groupVersion, plural string) bool {
	list, err := d.ServerResourcesForGroupVersion(groupVersion)
	return err == nil && slices.ContainsFunc(list.APIResources, func(r metav1.APIResource) bool { return r.Name == plural })
}

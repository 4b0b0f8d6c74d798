// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/restmapper"
)

// fieldOwner owns what Apply writes.
const fieldOwner = "serin-install"

// Apply applies the YAML files of each tree (server-side, in the order of their
// names) and waits until the kinds that definitions among them define are served.
func (s *Server) Apply(ctx context.Context, trees ...fs.FS) error {
	d, err := discovery.NewDiscoveryClientForConfig(s.REST)
	if err != nil {
		return err
	}
	client, err := dynamic.NewForConfig(s.REST)
	if err != nil {
		return err
	}
	mapper := restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(d))
	for _, tree := range trees {
		objects, err := decode(tree)
		if err != nil {
			return err
		}
		for _, o := range objects {
			if err := apply(ctx, client, mapper, o); err != nil {
				return fmt.Errorf("apply %s %s: %w", o.GetKind(), o.GetName(), err)
			}
		}
	}
	return nil
}

func decode(tree fs.FS) (objects []*unstructured.Unstructured, err error) {
	return objects, fs.WalkDir(tree, ".", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yaml" {
			return err
		}
		file, err := fs.ReadFile(tree, path)
		if err != nil {
			return err
		}
		for d := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(file), 4096); ; {
			o := &unstructured.Unstructured{}
			switch err := d.Decode(o); {
			case errors.Is(err, io.EOF):
				return nil
			case err != nil:
				return fmt.Errorf("decode %s: %w", path, err)
			case o.Object != nil:
				objects = append(objects, o)
			}
		}
	})
}

func apply(ctx context.Context, client dynamic.Interface, mapper *restmapper.DeferredDiscoveryRESTMapper, o *unstructured.Unstructured) error {
	kind := o.GroupVersionKind()
	m, err := mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return err
	}
	resource := client.Resource(m.Resource)
	var to dynamic.ResourceInterface = resource
	if m.Scope.Name() == meta.RESTScopeNameNamespace {
		to = resource.Namespace(o.GetNamespace())
	}
	if _, err := to.Apply(ctx, o.GetName(), o, metav1.ApplyOptions{FieldManager: fieldOwner, Force: true}); err != nil {
		return err
	}
	if kind.Kind != "CustomResourceDefinition" {
		return nil
	}
	mapper.Reset()
	return waitServed(ctx, to, o.GetName())
}

// waitServed waits until a definition is established and so its kind served.
func waitServed(ctx context.Context, definitions dynamic.ResourceInterface, name string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		o, err := definitions.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
		for _, c := range conditions {
			if m, ok := c.(map[string]any); ok && m["type"] == "Established" && m["status"] == "True" {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait until it is served: %w; its conditions: %v", ctx.Err(), conditions)
		case <-tick.C:
		}
	}
}

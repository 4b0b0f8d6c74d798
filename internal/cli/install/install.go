// SPDX-License-Identifier: Apache-2.0

// Package install puts Serin into a cluster and takes it out again: the
// commands `serin install` and `serin uninstall`.
//
// Objects (objects.go, access.go) is pure: options in, everything that an
// installation consists of out. It is the one source: install applies it,
// --export prints it, and the Helm chart in deploy/ is generated from it.
// Everything in it carries the label app.kubernetes.io/part-of=serin.
//
// install writes by server-side apply and may be repeated: that is an upgrade.
// uninstall deletes what install made, and asks first. Neither touches an
// InferenceService, but for uninstall --delete-services. Nothing here needs a
// webhook or certificates.
package install

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/discovery/cached/memory"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/restmapper"
)

const (
	fieldOwner = "serin-install"
	// pollEvery is the interval of polling the cluster.
	pollEvery = 250 * time.Millisecond
	// serveTimeout bounds the wait until a new definition is served, and lookTimeout
	// the wait for a definition that another program installs.
	serveTimeout = 30 * time.Second
	lookTimeout  = 3 * time.Second
)

// cluster is where an installation goes.
type cluster struct {
	client dynamic.Interface
	mapper *restmapper.DeferredDiscoveryRESTMapper
	out    io.Writer // progress, for the user
}

func connect(config *rest.Config, out io.Writer) (*cluster, error) {
	config = rest.CopyConfig(config)
	config.QPS = -1 // the API server's own fairness is the limit
	client, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, err
	}
	d, err := discovery.NewDiscoveryClientForConfig(config)
	if err != nil {
		return nil, err
	}
	return &cluster{client: client, mapper: restmapper.NewDeferredDiscoveryRESTMapper(memory.NewMemCacheClient(d)), out: out}, nil
}

// install applies all objects in their order. With dryRun the API validates them
// and stores nothing. It cannot validate objects whose definition is not stored.
func (c *cluster) install(ctx context.Context, objects []*unstructured.Unstructured, dryRun bool) error {
	opts := metav1.ApplyOptions{FieldManager: fieldOwner, Force: true}
	if dryRun {
		opts.DryRun = []string{metav1.DryRunAll}
	}
	for _, o := range objects {
		says, err := c.apply(ctx, o, opts)
		if dryRun && unchecked(err) {
			says, err = "would be created; not checked, because its namespace or definition does not exist yet", nil
		}
		if err != nil {
			return fmt.Errorf("apply %s: %w", describe(o), err)
		}
		fmt.Fprintf(c.out, "  %s %s\n", describe(o), says)
	}
	return nil
}

// unchecked reports whether a dry run failed only because the namespace or the
// definition of an object is not stored.
func unchecked(err error) bool { return apierrors.IsNotFound(err) || meta.IsNoMatchError(err) }

// apply applies one object and returns the outcome, such as "created".
func (c *cluster) apply(ctx context.Context, o *unstructured.Unstructured, opts metav1.ApplyOptions) (string, error) {
	if len(opts.DryRun) == 0 {
		if err := c.served(ctx, o.GroupVersionKind(), serveTimeout); err != nil {
			return "", err
		}
	}
	r, err := c.resource(o)
	if err != nil {
		return "", err
	}
	before, err := r.Get(ctx, o.GetName(), metav1.GetOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return "", err
	}
	created := err != nil
	if !created && o.GetKind() == "Namespace" && before.GetLabels()[labelPart] != part {
		return "existed before, and is unchanged", nil // nor will uninstall delete it
	}
	after, err := r.Apply(ctx, o.GetName(), o, opts)
	switch {
	case err != nil:
		return "", err
	case created:
		return "created", nil
	case equality.Semantic.DeepEqual(wanted(before), wanted(after)):
		return "unchanged", nil
	}
	return "changed", nil
}

// wanted returns an object without the fields of other writers, to see whether an
// apply changed it. The resource version does not tell: it stays in a dry run, and
// changes with a status.
func wanted(o *unstructured.Unstructured) map[string]any {
	fields := o.DeepCopy().Object
	delete(fields, "status")
	for _, f := range []string{"managedFields", "resourceVersion", "generation"} {
		unstructured.RemoveNestedField(fields, "metadata", f)
	}
	return fields
}

// served waits until a kind is served, since its definition may be new.
func (c *cluster) served(ctx context.Context, kind schema.GroupVersionKind, timeout time.Duration) error {
	return wait.PollUntilContextTimeout(ctx, pollEvery, timeout, true, func(context.Context) (bool, error) {
		_, err := c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
		if meta.IsNoMatchError(err) {
			c.mapper.Reset()
			return false, nil
		}
		return err == nil, err
	})
}

func (c *cluster) resource(o *unstructured.Unstructured) (dynamic.ResourceInterface, error) {
	kind := o.GroupVersionKind()
	m, err := c.mapper.RESTMapping(kind.GroupKind(), kind.Version)
	if err != nil {
		return nil, err
	}
	if m.Scope.Name() == meta.RESTScopeNameNamespace {
		return c.client.Resource(m.Resource).Namespace(o.GetNamespace()), nil
	}
	return c.client.Resource(m.Resource), nil
}

// upgrade applies all objects and, if asked to, waits until both parts run. The
// controller is applied after the routers run: it sends requests for names within
// the cluster to a port that routers of an older version may not have.
func (c *cluster) upgrade(ctx context.Context, namespace string, objects []*unstructured.Unstructured, timeout time.Duration) error {
	deployments := c.client.Resource(appsv1.SchemeGroupVersion.WithResource("deployments")).Namespace(namespace)
	_, err := deployments.Get(ctx, routerName, metav1.GetOptions{})
	there := err == nil
	last := len(objects) - 1
	if err := c.install(ctx, objects[:last], false); err != nil {
		return err
	}
	if there && timeout > 0 {
		if err := c.check(ctx, namespace, timeout, routerName); err != nil {
			return err
		}
	}
	if err := c.install(ctx, objects[last:], false); err != nil || timeout == 0 {
		return err
	}
	return c.check(ctx, namespace, timeout, controllerName, routerName)
}

// check waits until parts run, and prints what they wait for.
func (c *cluster) check(ctx context.Context, namespace string, timeout time.Duration, parts ...string) error {
	deployments := c.client.Resource(appsv1.SchemeGroupVersion.WithResource("deployments")).Namespace(namespace)
	for _, name := range parts {
		last := ""
		err := wait.PollUntilContextTimeout(ctx, pollEvery, timeout, true, func(ctx context.Context) (bool, error) {
			u, err := deployments.Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return false, err
			}
			var d appsv1.Deployment
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &d); err != nil {
				return false, err
			}
			state, done := progress(&d)
			if state != last {
				fmt.Fprintf(c.out, "  %s: %s\n", name, state)
				last = state
			}
			return done, nil
		})
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			return fmt.Errorf("%s does not run after %v (%s): see 'kubectl -n %[4]s describe pods -l %[5]s=%[1]s', and 'kubectl -n %[4]s get events' if there are none",
				name, timeout, last, namespace, labelName)
		}
		if err != nil {
			return fmt.Errorf("look at %s: %w", name, err)
		}
	}
	return nil
}

// progress returns how many replicas of the current template are available, as text.
func progress(d *appsv1.Deployment) (string, bool) {
	want := int32(1)
	if d.Spec.Replicas != nil {
		want = *d.Spec.Replicas
	}
	s := d.Status
	if s.ObservedGeneration < d.Generation {
		return "not observed yet", false
	}
	ready := min(s.UpdatedReplicas, s.AvailableReplicas)
	done := ready >= want && s.Replicas == s.UpdatedReplicas
	return fmt.Sprintf("%d of %d replicas ready", ready, want), done
}

// uninstall deletes objects in reverse order, each with all that it owns, and waits
// until it is gone. It leaves objects for which keep reports true.
func (c *cluster) uninstall(ctx context.Context, objects []*unstructured.Unstructured, keep func(*unstructured.Unstructured) bool) error {
	for _, o := range slices.Backward(objects) {
		says, err := c.delete(ctx, o, keep)
		if err == nil && says == deleted {
			err = c.gone(ctx, o)
		}
		if err != nil {
			return fmt.Errorf("delete %s: %w", describe(o), err)
		}
		if says != "" {
			fmt.Fprintf(c.out, "  %s %s\n", describe(o), says)
		}
	}
	return nil
}

const deleted = "deleted"

// delete begins to delete one object and returns the outcome, or nothing if there is no such object.
func (c *cluster) delete(ctx context.Context, o *unstructured.Unstructured, keep func(*unstructured.Unstructured) bool) (string, error) {
	r, err := c.resource(o)
	if meta.IsNoMatchError(err) {
		return "", nil // its definition is gone, and so is it
	}
	if err != nil {
		return "", err
	}
	there, err := r.Get(ctx, o.GetName(), metav1.GetOptions{})
	if err != nil {
		return "", ignoreNotFound(err)
	}
	if keep(there) {
		return "kept: 'install' did not create it", nil
	}
	err = r.Delete(ctx, o.GetName(), metav1.DeleteOptions{PropagationPolicy: new(metav1.DeletePropagationForeground)})
	if err != nil {
		return "", ignoreNotFound(err)
	}
	return deleted, nil
}

// gone waits until there is no such object.
func (c *cluster) gone(ctx context.Context, o *unstructured.Unstructured) error {
	r, err := c.resource(o)
	if err != nil {
		return err
	}
	return wait.PollUntilContextCancel(ctx, pollEvery, true, func(ctx context.Context) (bool, error) {
		_, err := r.Get(ctx, o.GetName(), metav1.GetOptions{})
		return apierrors.IsNotFound(err), ignoreNotFound(err)
	})
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// describe names an object as kubectl does.
func describe(o *unstructured.Unstructured) string {
	return strings.ToLower(o.GetKind()) + "/" + o.GetName()
}

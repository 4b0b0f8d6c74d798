// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/action"
)

// callTimeout bounds one call of the API, so that a command never hangs.
const callTimeout = 15 * time.Second

// fieldManager is the name by which the API remembers these commands' edits.
const fieldManager = "serin-rollout"

// service is the InferenceService that a command is about.
type service struct {
	*cluster
	name string
}

// service opens the cluster that the flags name for the argument ISVC.
func (t *target) service(arg string) (*service, error) {
	name, err := serviceName(arg)
	if err != nil {
		return nil, err
	}
	c, err := t.open()
	if err != nil {
		return nil, err
	}
	return &service{c, name}, nil
}

// read reads the service and all that belongs to it.
func (s *service) read(ctx context.Context) (*action.Rollout, error) {
	_, r, err := s.readRaw(ctx)
	return r, err
}

// readRaw also returns the service as it was sent.
func (s *service) readRaw(ctx context.Context) (*unstructured.Unstructured, *action.Rollout, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	isvc, err := s.client.Resource(v1beta1.Resource).Namespace(s.namespace).Get(ctx, s.name, metav1.GetOptions{})
	if err != nil {
		return nil, nil, s.explain(ctx, err)
	}
	o := action.Objects{Service: isvc}
	of := metav1.ListOptions{LabelSelector: v1beta1.LabelService + "=" + s.name}
	if err := errors.Join(
		list(ctx, s.client, s.namespace, appsv1.SchemeGroupVersion.WithResource("controllerrevisions"), of, &o.Records),
		list(ctx, s.client, s.namespace, appsv1.SchemeGroupVersion.WithResource("deployments"), of, &o.Deployments),
		list(ctx, s.client, s.namespace, corev1.SchemeGroupVersion.WithResource("pods"), of, &o.Pods),
	); err != nil {
		return nil, nil, s.explain(ctx, err)
	}
	r, err := action.Read(o)
	return isvc, r, err
}

// list reads all objects of a resource in a namespace into a slice of their type.
func list[T any](ctx context.Context, client dynamic.Interface, namespace string, resource schema.GroupVersionResource, of metav1.ListOptions, into *[]T) error {
	objects, err := client.Resource(resource).Namespace(namespace).List(ctx, of)
	if err != nil {
		return fmt.Errorf("list %s: %w", resource.Resource, err)
	}
	for _, o := range objects.Items {
		var t T
		if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &t); err != nil {
			return fmt.Errorf("read %s %s: %w", resource.Resource, o.GetName(), err)
		}
		*into = append(*into, t)
	}
	return nil
}

// events returns the newest events of the service, oldest first.
func (s *service) events(ctx context.Context, most int) ([]corev1.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var events []corev1.Event
	of := metav1.ListOptions{FieldSelector: "involvedObject.kind=" + v1beta1.Kind.Kind + ",involvedObject.name=" + s.name}
	if err := list(ctx, s.client, s.namespace, corev1.SchemeGroupVersion.WithResource("events"), of, &events); err != nil {
		return nil, s.explain(ctx, err)
	}
	slices.SortStableFunc(events, func(a, b corev1.Event) int {
		return cmp.Or(when(a).Compare(when(b)), cmp.Compare(a.ResourceVersion, b.ResourceVersion))
	})
	return events[max(0, len(events)-most):], nil
}

// when is the last time that an event happened.
func when(e corev1.Event) time.Time {
	if !e.LastTimestamp.IsZero() {
		return e.LastTimestamp.Time
	}
	return e.CreationTimestamp.Time
}

// patch writes a merge patch, or has the API only check it.
func (s *service) patch(ctx context.Context, patch []byte, check bool) (*unstructured.Unstructured, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	o := metav1.PatchOptions{FieldManager: fieldManager, FieldValidation: metav1.FieldValidationStrict}
	if check {
		o.DryRun = []string{metav1.DryRunAll}
	}
	isvc, err := s.client.Resource(v1beta1.Resource).Namespace(s.namespace).Patch(ctx, s.name, types.MergePatchType, patch, o)
	if apierrors.IsConflict(err) {
		return nil, err // for the caller to judge
	}
	return isvc, s.explain(ctx, err)
}

// explain says what an error of the API means, and what to do.
func (c *cluster) explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var status apierrors.APIStatus
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no answer from %s: is Serin running? 'serin up' starts it (%w)", c.server, err)
	case errors.Is(err, context.DeadlineExceeded) && !errors.As(err, &status):
		return fmt.Errorf("%s does not answer within %s: %w", c.server, callTimeout, err)
	case !apierrors.IsNotFound(err) || !errors.As(err, &status):
		return err
	}
	if d := status.Status().Details; d != nil && d.Name != "" && d.Kind == v1beta1.Resource.Resource {
		return c.notFound(ctx, d.Name)
	}
	return fmt.Errorf("the cluster at %s has no InferenceServices: Serin is not installed there, or this is the wrong context", c.server)
}

// notFound says which services there are instead.
func (c *cluster) notFound(ctx context.Context, name string) error {
	said := fmt.Errorf("there is no InferenceService %s in the namespace %s", name, c.namespace)
	all, err := c.client.Resource(v1beta1.Resource).List(ctx, metav1.ListOptions{Limit: 500})
	if err != nil {
		return said // perhaps it may not be known
	}
	var here []string
	for _, o := range all.Items {
		switch {
		case o.GetNamespace() == c.namespace:
			here = append(here, o.GetName())
		case o.GetName() == name:
			return fmt.Errorf("%w; there is one in %s: use -n %s", said, o.GetNamespace(), o.GetNamespace())
		}
	}
	if len(here) == 0 {
		return fmt.Errorf("%w, which has none", said)
	}
	return fmt.Errorf("%w, which has: %s", said, strings.Join(here, ", "))
}

// SPDX-License-Identifier: Apache-2.0

package crash

import (
	"context"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/api/v1beta1"
)

// kept are the kinds of objects that a rollout's state consists of.
var kept = []schema.GroupVersionResource{
	v1beta1.Resource,
	{Group: "apps", Version: "v1", Resource: "controllerrevisions"},
	{Group: "apps", Version: "v1", Resource: "deployments"},
	{Version: "v1", Resource: "services"},
	{Version: "v1", Resource: "configmaps"},
}

// age ends the time in which revisions of history are warm, and returns those that
// still have a Deployment.
func (c cluster) age(ctx context.Context, s *v1beta1.InferenceService) (left []string, err error) {
	deployments := c.api.Resource(schema.GroupVersionResource{Group: "apps", Version: "v1", Resource: "deployments"}).Namespace(s.Namespace)
	list, err := deployments.List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	p := s.Status.Components[v1beta1.Predictor]
	for _, d := range list.Items {
		revision := d.GetLabels()[v1beta1.LabelRevision]
		if slices.Contains([]string{p.LatestCreatedRevision, p.LatestRolledoutRevision, p.PreviousRolledoutRevision}, revision) {
			continue
		}
		left = append(left, revision)
		if since := d.GetAnnotations()[v1beta1.AnnotationIdleSince]; since == "" || since == longAgo {
			continue
		}
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%q}}}`, v1beta1.AnnotationIdleSince, longAgo)
		if _, err := deployments.Patch(ctx, d.GetName(), types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			return nil, err
		}
	}
	return left, nil
}

const longAgo = "2026-01-01T00:00:00Z"

// state is all that the controller and the autoscaler left in a namespace, as
// YAML, without what differs between two runs: times, UIDs, the namespace.
func state(ctx context.Context, api dynamic.Interface, namespace string) (string, error) {
	var out []any
	for _, resource := range kept {
		list, err := api.Resource(resource).Namespace(namespace).List(ctx, metav1.ListOptions{})
		if err != nil {
			return "", err
		}
		for _, o := range list.Items { // sorted by name
			if o.GetName() != "kube-root-ca.crt" {
				out = append(out, essence(o))
			}
		}
	}
	y, err := yaml.Marshal(out)
	return strings.ReplaceAll(string(y), namespace, "NAMESPACE"), err
}

// essence drops from an object what differs between two runs.
func essence(o unstructured.Unstructured) map[string]any {
	annotations := o.GetAnnotations()
	if _, ok := annotations[v1beta1.AnnotationIdleSince]; ok {
		annotations[v1beta1.AnnotationIdleSince] = "TIME"
		o.SetAnnotations(annotations)
		// How long ago decides whether it is at zero already.
		unstructured.RemoveNestedField(o.Object, "spec", "replicas")
	}
	owners := o.GetOwnerReferences()
	for i := range owners {
		owners[i].UID = "UID"
	}
	o.SetOwnerReferences(owners)
	metadata := map[string]any{}
	for _, field := range []string{"name", "labels", "annotations", "ownerReferences", "generation", "finalizers", "deletionTimestamp"} {
		if v, ok, _ := unstructured.NestedFieldNoCopy(o.Object, "metadata", field); ok {
			metadata[field] = v
		}
	}
	o.Object["metadata"] = metadata
	switch o.GetKind() {
	case "Deployment":
		delete(metadata, "generation") // counts writes
		delete(o.Object, "status")
	case v1beta1.Kind.Kind:
		conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
		for _, c := range conditions {
			delete(c.(map[string]any), "lastTransitionTime")
		}
		_ = unstructured.SetNestedSlice(o.Object, conditions, "status", "conditions")
	}
	return o.Object
}

// reasons are those of the events about the service.
func reasons(ctx context.Context, api dynamic.Interface, namespace string) (map[string]bool, error) {
	events := schema.GroupVersionResource{Version: "v1", Resource: "events"}
	list, err := api.Resource(events).Namespace(namespace).List(ctx, metav1.ListOptions{FieldSelector: "involvedObject.kind=" + v1beta1.Kind.Kind})
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for _, e := range list.Items {
		reason, _, _ := unstructured.NestedString(e.Object, "reason")
		out[reason] = true
	}
	return out, nil
}

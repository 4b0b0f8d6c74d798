// SPDX-License-Identifier: Apache-2.0

// Package render turns an InferenceService and the serving runtimes into the
// exact Kubernetes objects of a revision.
//
// Data flows in two steps that may be days apart. Resolve reads the current
// spec: it chooses a runtime, adds what KServe would write for it, merges the
// user's container into the runtime's, expands {{.Name}}, finds out where the
// model server listens, and adds what every model Pod has. The result, a Template,
// is stored whole in the revision's ControllerRevision. Objects reads only a
// stored Template, so nothing that changes later, neither a runtime nor an
// upgrade of Serin, restarts a Pod.
//
// The package performs no I/O and decides nothing about traffic or replicas:
// it never writes spec.replicas, which belongs to the autoscaler.
package render

import (
	"fmt"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/serin-dev/serin/api/v1alpha1"
	"github.com/serin-dev/serin/api/v1beta1"
)

// Template is a revision's whole content: what its ControllerRevision stores.
type Template struct {
	// Hash identifies what the user asked for; see Hash.
	Hash string `json:"hash"`
	// Model identifies the model alone; see Model.
	Model string `json:"model"`
	// Runtime is the ServingRuntime that was merged in, if a namespaced one.
	Runtime string `json:"runtime,omitempty"`
	// ClusterRuntime is the ClusterServingRuntime that was merged in.
	ClusterRuntime string `json:"clusterRuntime,omitempty"`
	// HoldsModel says that the Pods fetch no other model than the first of them did; see
	// hold. Revisions that an earlier version of Serin recorded do not have it.
	HoldsModel bool `json:"holdsModel,omitempty"`
	// Spec is what the user wrote: all of it that Hash covers, so that writing
	// it again asks for this revision.
	Spec *v1beta1.PredictorSpec `json:"spec,omitempty"`
	// Pod is complete but for what holds the revision's name: labels, and variables
	// of storage-initializer.
	Pod corev1.PodTemplateSpec `json:"pod"`
}

// Concurrency is how many requests a Pod of the revision serves at once; 0
// means any number.
func (t *Template) Concurrency() int64 {
	if t.Spec == nil {
		return 0
	}
	return ptr.Deref(t.Spec.ContainerConcurrency, 0)
}

// Options are the parts of a Pod that the installation chooses, not the user.
// They are stored with a Template and are no part of its Hash.
type Options struct {
	// FetchImage is the image of storage-initializer.
	FetchImage string
	// QueueImage is the image of queue-proxy.
	QueueImage string
	// ModelCache is the folder on each node where downloads are kept; empty
	// means that every Pod downloads for itself.
	ModelCache string
	// FetchEnv is the environment of storage-initializer, NAME=VALUE each:
	// proxies, endpoints.
	FetchEnv []string
	// Limits are limits of queue-proxy, NAME=VALUE each, as its flags are
	// called.
	Limits []string
}

// Invalid says why a spec cannot become a Template. Only a change of the spec
// or of the runtimes helps, so it is shown in modelStatus and not retried.
type Invalid struct {
	Reason  v1beta1.FailureReason
	Message string
}

// Error returns the message.
func (e *Invalid) Error() string { return e.Message }

func invalidf(reason v1beta1.FailureReason, format string, args ...any) *Invalid {
	return &Invalid{Reason: reason, Message: fmt.Sprintf(format, args...)}
}

// Resolve returns what the predictor's current spec asks for, or an *Invalid.
// Runtimes of other namespaces than the service's are ignored.
func Resolve(isvc *v1beta1.InferenceService, runtimes []v1alpha1.ServingRuntime, cluster []v1alpha1.ClusterServingRuntime, o Options) (*Template, error) {
	p := &isvc.Spec.Predictor
	t := &Template{Hash: Hash(p), Model: Model(p), Spec: content(p)}
	var runtime v1alpha1.ServingRuntimeSpec // custom containers merge into an empty one
	var server string
	if m := p.ModelOrLegacy(); m != nil {
		c, err := choose(isvc, m, runtimes, cluster)
		if err != nil {
			return nil, err
		}
		runtime, t.Runtime, t.ClusterRuntime = c.spec, c.namespaced(), c.cluster()
		isvc, server = completed(isvc, m, c), c.server
	}
	spec, err := mergedPod(isvc, &runtime, server)
	if err != nil {
		return nil, err
	}
	if err := inject(spec, isvc, server, o); err != nil {
		return nil, err
	}
	t.Pod.Spec = *spec
	t.HoldsModel = slices.ContainsFunc(spec.InitContainers, func(c corev1.Container) bool { return c.Name == v1beta1.ContainerFetch })
	t.Pod.Labels, t.Pod.Annotations = podMetadata(isvc, &runtime)
	t.Pod.Annotations[v1beta1.AnnotationConcurrency] = strconv.FormatInt(t.Concurrency(), 10)
	return t, nil
}

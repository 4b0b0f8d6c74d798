// SPDX-License-Identifier: Apache-2.0

package v1beta1

import (
	"fmt"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RevisionOfPod returns the revision that a Pod is of, or nothing. A label alone
// is no proof: only a Pod of the ReplicaSet that the revision's Deployment made
// is one of its Pods.
func RevisionOfPod(pod metav1.Object) string {
	revision := pod.GetLabels()[LabelRevision]
	owner := metav1.GetControllerOfNoCopy(pod)
	if revision == "" || owner == nil || owner.Kind != "ReplicaSet" || !strings.HasPrefix(owner.Name, DeploymentName(revision)+"-") {
		return ""
	}
	return revision
}

// PodReady returns the condition that a Pod is ready, or nil if it is not.
func PodReady(p *corev1.Pod) *corev1.PodCondition {
	for i := range p.Status.Conditions {
		if c := &p.Status.Conditions[i]; c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
			return c
		}
	}
	return nil
}

// PodFinished reports whether all containers of a Pod have ended for good.
func PodFinished(p *corev1.Pod) bool {
	return p.Status.Phase == corev1.PodFailed || p.Status.Phase == corev1.PodSucceeded
}

// PodLeaving reports whether a Pod has ended or is about to: its controller makes
// another one.
func PodLeaving(p *corev1.Pod) bool { return p.DeletionTimestamp != nil || PodFinished(p) }

// AnnotationConcurrency is, on a model's Pod, how many requests its queue lets
// through at once; "0" means any number. Pods of revisions that an earlier
// version of Serin made do not have it, for a revision's template never changes.
const AnnotationConcurrency = "serin.dev/concurrency"

// PodConcurrency returns how many requests a Pod's queue lets through at once; 0
// means any number. Where the annotation is missing, it reads the argument of
// the queue.
func PodConcurrency(p *corev1.Pod) (int, error) {
	text, ok := p.Annotations[AnnotationConcurrency]
	if !ok {
		text = queueArgument(p, "--concurrency=", "0")
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("read concurrency %.64q of Pod %s/%s: not a whole number of 0 or more", text, p.Namespace, p.Name)
	}
	return n, nil
}

// PodUserPort returns the port to which a Pod's queue sends requests, 0 without a
// queue.
func PodUserPort(p *corev1.Pod) int {
	port, _ := strconv.Atoi(queueArgument(p, "--user-port=", "0"))
	return port
}

// PodProbedPort returns the port for gRPC at which a Pod's queue must reach the model
// server before the Pod is ready, 0 if there is none.
func PodProbedPort(p *corev1.Pod) int {
	if queueArgument(p, "--probe-grpc", "no") != "" {
		return 0
	}
	port, _ := strconv.Atoi(queueArgument(p, "--grpc-port=", "0"))
	return port
}

// queueArgument returns the value of an argument of a Pod's queue.
func queueArgument(p *corev1.Pod, prefix, missing string) string {
	for i := range p.Spec.Containers {
		if c := &p.Spec.Containers[i]; c.Name == ContainerQueue {
			for _, arg := range c.Args {
				if value, ok := strings.CutPrefix(arg, prefix); ok {
					return value
				}
			}
		}
	}
	return missing
}

// PodModelDigest returns the digest of the model that a Pod fetched, as its
// ContainerFetch reported it, or nothing.
func PodModelDigest(p *corev1.Pod) string {
	for i := range p.Status.InitContainerStatuses {
		c := &p.Status.InitContainerStatuses[i]
		if t := c.State.Terminated; c.Name == ContainerFetch && t != nil && t.ExitCode == 0 {
			if digest := strings.TrimSpace(t.Message); IsModelDigest(digest) {
				return digest
			}
		}
	}
	return ""
}

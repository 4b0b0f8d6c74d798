// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

func TestDrained(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*revision)
		want   bool
	}{
		"idle, at zero, without Pods":         {func(*revision) {}, true},
		"without a Deployment":                {func(r *revision) { r.deployment = nil }, false},
		"active, and asleep":                  {func(r *revision) { r.deployment.Annotations[v1beta1.AnnotationActive] = "true" }, false},
		"its mark is gone":                    {func(r *revision) { r.deployment.Annotations = nil }, false},
		"still warm":                          {func(r *revision) { r.deployment.Spec.Replicas = new(int32(1)) }, false},
		"the autoscaler has not looked at it": {func(r *revision) { r.deployment.Spec.Replicas = nil }, false},
		"the ReplicaSet has not been scaled":  {func(r *revision) { r.deployment.Status.ObservedGeneration = 1 }, false},
		"Pods are about to be deleted":        {func(r *revision) { r.deployment.Status.Replicas = 1 }, false},
		"a Pod finishes its requests":         {func(r *revision) { r.pods = []corev1.Pod{{Status: corev1.PodStatus{Phase: corev1.PodRunning}}} }, false},
		"what is left of a Pod was evicted":   {func(r *revision) { r.pods = []corev1.Pod{{Status: corev1.PodStatus{Phase: corev1.PodFailed}}} }, true},
	} {
		t.Run(name, func(t *testing.T) {
			d := &appsv1.Deployment{}
			d.Generation, d.Status.ObservedGeneration = 2, 2
			d.Annotations = map[string]string{v1beta1.AnnotationActive: "false"}
			d.Spec.Replicas = new(int32)
			r := revision{deployment: d}
			tt.change(&r)
			if got := r.drained(); got != tt.want {
				t.Errorf("drained = %t, want %t", got, tt.want)
			}
		})
	}
}

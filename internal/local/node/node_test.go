// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/internal/testkit/eventually"
)

func TestPodWithInitContainerVolumeEnvAndProbe(t *testing.T) {
	c := startCluster(t)
	begin := time.Now()
	c.create(t, `
spec:
  terminationGracePeriodSeconds: 5
  volumes: [{name: models, emptyDir: {}}]
  initContainers:
  - name: fetch
    args: ["out:fetching", "write:/mnt/models/m.txt=a model"]
    volumeMounts: [{name: models, mountPath: /mnt/models}]
  containers:
  - name: server
    args: ["cat:/mnt/models/m.txt", "env:DIR", "env:WHO", "env:POD_IP", "serve:8080"]
    env:
    - {name: WHO, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    - {name: DIR, value: "the $(WHO) in /mnt"}
    volumeMounts: [{name: models, mountPath: /mnt/models, readOnly: true}]
    readinessProbe: {httpGet: {path: /health, port: http}}
    ports: [{name: http, containerPort: 8080}]
  - name: side
    args: ["out:side", "wait:side ends"]
`)
	pod := c.pod(t, "web", "ready", isReady)
	t.Logf("ready after %v", time.Since(begin))
	c.logs(t, "web/fetch", "fetching\n")
	c.logs(t, "web/server", "a model\nDIR=the web in /mnt\nWHO=web\nPOD_IP="+pod.Status.PodIP+"\n")
	c.logs(t, "web/side", "side\n")

	got := map[corev1.PodConditionType]corev1.ConditionStatus{}
	for _, cond := range pod.Status.Conditions {
		got[cond.Type] = cond.Status
	}
	want := map[corev1.PodConditionType]corev1.ConditionStatus{
		corev1.PodScheduled: corev1.ConditionTrue, corev1.PodInitialized: corev1.ConditionTrue,
		corev1.ContainersReady: corev1.ConditionTrue, corev1.PodReady: corev1.ConditionTrue,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	c.remove(t, "web", 5)
	c.waitGone(t, "web")
}

func TestNodeRegistersItself(t *testing.T) {
	c := startCluster(t)
	eventually.Holds(t, func(context.Context) (any, bool) {
		n, err := c.client.CoreV1().Nodes().Get(t.Context(), "serin", metav1.GetOptions{})
		if err != nil {
			return err.Error(), false
		}
		return n.String(), len(n.Status.Conditions) > 0 && n.Status.DaemonEndpoints.KubeletEndpoint.Port > 0
	})
	eventually.Holds(t, func(context.Context) (any, bool) {
		l, err := c.client.CoordinationV1().Leases(corev1.NamespaceNodeLease).Get(t.Context(), "serin", metav1.GetOptions{})
		if err != nil {
			return err.Error(), false
		}
		return l.String(), l.Spec.RenewTime != nil
	})
}

// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"runtime"
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

// A canary of two services with KServe's runtimes has four Pods: more than a
// laptop of two CPUs has, and no reason to refuse one.
func TestNodeOffersMoreThanTheMachineHas(t *testing.T) {
	c := startCluster(t)
	var node *corev1.Node
	eventually.Holds(t, func(context.Context) (any, bool) {
		var err error
		node, err = c.client.CoreV1().Nodes().Get(t.Context(), "serin", metav1.GetOptions{})
		return err, err == nil && len(node.Status.Allocatable) > 0
	})
	got := map[corev1.ResourceName]string{}
	for name, quantity := range node.Status.Allocatable {
		got[name] = quantity.String()
	}
	want := map[corev1.ResourceName]string{
		corev1.ResourceCPU: "220", corev1.ResourceMemory: "440Gi", corev1.ResourceEphemeralStorage: "11000Gi", corev1.ResourcePods: "110",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("allocatable (-want +got):\n%s", diff)
	}
	if has := node.Status.Capacity.Cpu().Value(); has != int64(runtime.NumCPU()) {
		t.Errorf("capacity: %d CPUs, want those of the machine", has)
	}
}

// A program that asks for its limits sizes itself by them: without limits it
// gets what the machine has, and not what the node offers.
func TestLimitsNotSetAreThoseOfTheMachine(t *testing.T) {
	c := startCluster(t)
	c.create(t, `
spec:
  restartPolicy: Never
  containers:
  - name: main
    args: ["env:GOMAXPROCS", "env:GOMEMLIMIT"]
    env:
    - {name: GOMAXPROCS, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}
    - {name: GOMEMLIMIT, valueFrom: {resourceFieldRef: {resource: limits.memory}}}
`)
	c.pod(t, "web", "done", func(p *corev1.Pod) bool { return settled(p.Status.Phase) })
	c.logs(t, "web/main", fmt.Sprintf("GOMAXPROCS=%d\nGOMEMLIMIT=%d\n", runtime.NumCPU(), machine().memory))
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

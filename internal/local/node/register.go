// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"maps"
	"net"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	coordv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/retry"
)

const (
	leasePeriod   = 10 * time.Second
	leaseDuration = 40 * time.Second
	// statusEvery is how many leases go by until the Node is written again, in case someone
	// deleted or changed it.
	statusEvery = 30
)

// heartbeat registers the node and renews its lease.
func (n *node) heartbeat(ctx context.Context) error {
	for beat := 0; ; beat++ {
		if beat%statusEvery == 0 {
			if err := n.register(ctx); err != nil && ctx.Err() == nil {
				if beat == 0 {
					return fmt.Errorf("register node %s: %w", n.Name, err)
				}
				n.Log.Warn("write the node", "err", err)
			}
			if beat == 0 {
				n.sayLimits()
			}
		}
		if err := n.renewLease(ctx); err != nil && ctx.Err() == nil {
			n.Log.Warn("renew the node's lease", "err", err)
		}
		if !sleep(ctx, leasePeriod) {
			return nil
		}
	}
}

// sayLimits records events about what the node cannot do.
func (n *node) sayLimits() {
	self := &corev1.ObjectReference{Kind: "Node", Name: n.Name, UID: types.UID(n.Name)}
	n.events.Event(self, corev1.EventTypeNormal, "ProcessLimits", notLimited)
	if n.apart != nil {
		n.events.Event(self, corev1.EventTypeWarning, "PortsShared", fmt.Sprintf("%s: %v", sharedPorts, n.apart))
	}
}

// register writes the Node object: what this node is, and that it is ready.
func (n *node) register(ctx context.Context) error {
	nodes := n.client.CoreV1().Nodes()
	return retry.RetryOnConflict(retry.DefaultRetry, func() error {
		wanted := n.describe(time.Now())
		have, err := nodes.Get(ctx, n.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			have, err = nodes.Create(ctx, wanted, metav1.CreateOptions{})
		}
		if err != nil {
			return err
		}
		if have.Labels == nil {
			have.Labels = map[string]string{}
		}
		maps.Copy(have.Labels, wanted.Labels)
		// The API server adds this taint to every new Node. There is no node lifecycle
		// controller that would remove it, so the node does.
		have.Spec.Taints = slices.DeleteFunc(have.Spec.Taints, func(t corev1.Taint) bool { return t.Key == corev1.TaintNodeNotReady })
		if have, err = nodes.Update(ctx, have, metav1.UpdateOptions{}); err != nil {
			return err
		}
		for _, c := range have.Status.Conditions {
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
				wanted.Status.Conditions[0].LastTransitionTime = c.LastTransitionTime
			}
		}
		have.Status = wanted.Status
		_, err = nodes.UpdateStatus(ctx, have, metav1.UpdateOptions{})
		return err
	})
}

func (n *node) describe(now time.Time) *corev1.Node {
	port := int32(0)
	if addr, ok := n.Listener.Addr().(*net.TCPAddr); ok {
		port = int32(addr.Port)
	}
	host := machine()
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: n.Name, Labels: map[string]string{
			corev1.LabelHostname: n.Name, corev1.LabelOSStable: runtime.GOOS, corev1.LabelArchStable: runtime.GOARCH,
		}},
		Status: corev1.NodeStatus{
			Capacity:    n.capacity,
			Allocatable: offer(),
			Addresses: []corev1.NodeAddress{
				{Type: corev1.NodeInternalIP, Address: hostAddress}, {Type: corev1.NodeHostName, Address: n.Name},
			},
			DaemonEndpoints: corev1.NodeDaemonEndpoints{KubeletEndpoint: corev1.DaemonEndpoint{Port: port}},
			Conditions: []corev1.NodeCondition{{
				Type: corev1.NodeReady, Status: corev1.ConditionTrue, Reason: "NodeReady", Message: "the process node runs Pods",
				LastHeartbeatTime: metav1.NewTime(now), LastTransitionTime: metav1.NewTime(now),
			}},
			NodeInfo: corev1.NodeSystemInfo{
				OperatingSystem: runtime.GOOS, Architecture: runtime.GOARCH,
				KernelVersion: host.kernel, OSImage: host.system, MachineID: host.id, SystemUUID: host.id, BootID: host.boot,
				KubeletVersion: kubeVersion(), ContainerRuntimeVersion: "serin://process",
			},
		},
	}
}

// maxPods is how many Pods the node takes: as many as a kubelet by default. More would
// let one wrong number of replicas overload a laptop.
const maxPods = 110

// capacity returns the resources of the machine. A program whose Pod asks for its limits, and has
// none, gets these.
func capacity() corev1.ResourceList {
	host := machine()
	return corev1.ResourceList{
		corev1.ResourceCPU:              *resource.NewQuantity(int64(runtime.NumCPU()), resource.DecimalSI),
		corev1.ResourceMemory:           *resource.NewQuantity(host.memory, resource.BinarySI),
		corev1.ResourceEphemeralStorage: *resource.NewQuantity(host.disk, resource.BinarySI),
		corev1.ResourcePods:             *resource.NewQuantity(maxPods, resource.DecimalSI),
	}
}

// offer returns what Pods may request together: for each of maxPods twice what KServe's runtimes
// request. It does not depend on the machine, because the node reserves nothing: what a Pod
// requests is no reason to refuse the next one.
func offer() corev1.ResourceList {
	const cpus, gib, diskGiB = 2, 4, 100
	return corev1.ResourceList{
		corev1.ResourceCPU:              *resource.NewQuantity(maxPods*cpus, resource.DecimalSI),
		corev1.ResourceMemory:           *resource.NewQuantity(maxPods*gib<<30, resource.BinarySI),
		corev1.ResourceEphemeralStorage: *resource.NewQuantity(maxPods*diskGiB<<30, resource.BinarySI),
		corev1.ResourcePods:             *resource.NewQuantity(maxPods, resource.DecimalSI),
	}
}

// kubeVersion is the Kubernetes release that this program's client belongs to.
func kubeVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range info.Deps {
			if m.Path == "k8s.io/client-go" {
				return strings.Replace(m.Version, "v0.", "v1.", 1)
			}
		}
	}
	return "v1.0.0"
}

func (n *node) renewLease(ctx context.Context) error {
	leases := n.client.CoordinationV1().Leases(corev1.NamespaceNodeLease)
	now, seconds := metav1.NowMicro(), int32(leaseDuration/time.Second)
	spec := coordv1.LeaseSpec{HolderIdentity: &n.Name, LeaseDurationSeconds: &seconds, RenewTime: &now}
	lease, err := leases.Get(ctx, n.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		_, err = leases.Create(ctx, &coordv1.Lease{ObjectMeta: metav1.ObjectMeta{Name: n.Name}, Spec: spec}, metav1.CreateOptions{})
		return err
	} else if err != nil {
		return err
	}
	lease.Spec = spec
	_, err = leases.Update(ctx, lease, metav1.UpdateOptions{})
	return err
}

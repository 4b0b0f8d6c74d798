// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/serin-dev/serin/api/v1beta1"
)

// podsPerNode is what a real node has at most.
const podsPerNode = 250

// nodes plays the nodes: it makes a scheduled Pod ready at once, and lets go of a
// deleted one.
type nodes struct {
	client *kubernetes.Clientset
	made   atomic.Uint32 // addresses
	writes errgroup.Group
	failed chan error
}

// startNodes makes nodes and plays them until ctx ends.
func startNodes(ctx context.Context, client *kubernetes.Clientset, number int) (*nodes, error) {
	room := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("1000"),
		corev1.ResourceMemory: resource.MustParse("1000Gi"),
		corev1.ResourcePods:   *resource.NewQuantity(podsPerNode, resource.DecimalSI),
	}
	for i := range number {
		name := fmt.Sprintf("node-%d", i)
		if _, err := client.CoreV1().Nodes().Create(ctx, &corev1.Node{
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: map[string]string{corev1.LabelHostname: name}},
			Status: corev1.NodeStatus{
				Allocatable: room, Capacity: room,
				Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
			},
		}, metav1.CreateOptions{}); err != nil {
			return nil, fmt.Errorf("make a node: %w", err)
		}
	}
	n := &nodes{client: client, failed: make(chan error, 1)}
	n.writes.SetLimit(parallel)
	informer := informers.NewSharedInformerFactory(client, 0).Core().V1().Pods().Informer()
	if err := informer.SetTransform(bare); err != nil {
		return nil, err
	}
	if _, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { n.sync(ctx, o.(*corev1.Pod)) },
		UpdateFunc: func(_, o any) { n.sync(ctx, o.(*corev1.Pod)) },
	}); err != nil {
		return nil, err
	}
	go informer.RunWithContext(ctx)
	return n, nil
}

// bare keeps what sync looks at: thousands of Pods stay in the cache.
func bare(o any) (any, error) {
	p, ok := o.(*corev1.Pod)
	if !ok {
		return o, nil
	}
	out := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: p.Name, UID: p.UID, ResourceVersion: p.ResourceVersion, DeletionTimestamp: p.DeletionTimestamp},
		Spec:       corev1.PodSpec{NodeName: p.Spec.NodeName},
		Status:     corev1.PodStatus{Phase: p.Status.Phase},
	}
	for _, c := range p.Spec.InitContainers {
		out.Spec.InitContainers = append(out.Spec.InitContainers, corev1.Container{Name: c.Name, Image: c.Image, Args: c.Args})
	}
	for _, c := range p.Spec.Containers {
		out.Spec.Containers = append(out.Spec.Containers, corev1.Container{Name: c.Name, Image: c.Image})
	}
	return out, nil
}

// sync writes the status of a new Pod, or deletes it for good.
func (n *nodes) sync(ctx context.Context, p *corev1.Pod) {
	pods := n.client.CoreV1().Pods(p.Namespace)
	n.writes.Go(func() (err error) {
		switch {
		case p.DeletionTimestamp != nil:
			err = pods.Delete(ctx, p.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
		case p.Spec.NodeName != "" && p.Status.Phase == corev1.PodPending:
			var status []byte
			if status, err = json.Marshal(map[string]any{"status": n.ready(p)}); err == nil {
				_, err = pods.Patch(ctx, p.Name, types.StrategicMergePatchType, status, metav1.PatchOptions{}, "status")
			}
		}
		if err != nil && !apierrors.IsNotFound(err) && ctx.Err() == nil {
			select {
			case n.failed <- fmt.Errorf("play a node: %w", err):
			default:
			}
		}
		return nil
	})
}

// ready returns the status of a Pod that serves, at an address of its own.
func (n *nodes) ready(p *corev1.Pod) corev1.PodStatus {
	now := metav1.Now()
	i := n.made.Add(1)
	ip := fmt.Sprintf("127.%d.%d.%d", 1+i>>16, i>>8&255, i&255)
	status := corev1.PodStatus{Phase: corev1.PodRunning, StartTime: &now, PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}}}
	for _, kind := range []corev1.PodConditionType{corev1.PodInitialized, corev1.ContainersReady, corev1.PodReady} {
		status.Conditions = append(status.Conditions, corev1.PodCondition{Type: kind, Status: corev1.ConditionTrue, LastTransitionTime: now})
	}
	for _, c := range p.Spec.InitContainers {
		if c.Name == v1beta1.ContainerFetch { // it reports the digest of what it fetched
			digest := fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(strings.Join(c.Args, " "))))
			status.InitContainerStatuses = append(status.InitContainerStatuses, corev1.ContainerStatus{
				Name: c.Name, Image: c.Image, Ready: true,
				State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed", Message: digest, StartedAt: now, FinishedAt: now}},
			})
		}
	}
	for _, c := range p.Spec.Containers {
		status.ContainerStatuses = append(status.ContainerStatuses, corev1.ContainerStatus{
			Name: c.Name, Image: c.Image, Ready: true, State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: now}},
		})
	}
	return status
}

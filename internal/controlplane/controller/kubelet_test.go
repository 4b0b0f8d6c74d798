// SPDX-License-Identifier: Apache-2.0

package controller_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/serin-dev/serin/api/v1beta1"
)

const nodeName = "fake"

// kubelet plays a node: it makes Pods ready at once, fails those whose model
// is called "missing", leaves those of held revisions unready, and lets go of
// deleted ones.
type kubelet struct {
	client kubernetes.Interface
	mu     sync.Mutex
	held   map[string]bool   // namespace/revision
	models map[string]string // digest of what lies in storage, by namespace
	pods   cache.Store
}

func startKubelet(ctx context.Context, cfg *rest.Config) (*kubelet, error) {
	c, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	room := corev1.ResourceList{
		corev1.ResourceCPU:    resource.MustParse("1000"),
		corev1.ResourceMemory: resource.MustParse("1Ti"),
		corev1.ResourcePods:   resource.MustParse("1000"),
	}
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: nodeName}, Status: corev1.NodeStatus{
		Capacity: room, Allocatable: room,
		Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue}},
	}}
	if _, err := c.CoreV1().Nodes().Create(ctx, n, metav1.CreateOptions{}); err != nil {
		return nil, err
	}
	informer := informers.NewSharedInformerFactory(c, 0).Core().V1().Pods().Informer()
	k := &kubelet{client: c, held: map[string]bool{}, models: map[string]string{}, pods: informer.GetStore()}
	_, err = informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { k.sync(ctx, o.(*corev1.Pod)) },
		UpdateFunc: func(_, o any) { k.sync(ctx, o.(*corev1.Pod)) },
	})
	go informer.RunWithContext(ctx)
	return k, err
}

// hold keeps a revision's Pods unready until the returned function is called.
func (k *kubelet) hold(t *testing.T, namespace, revision string) (release func()) {
	t.Helper()
	key := namespace + "/" + revision
	k.mu.Lock()
	k.held[key] = true
	k.mu.Unlock()
	return func() {
		k.mu.Lock()
		delete(k.held, key)
		k.mu.Unlock()
		for _, o := range k.pods.List() {
			k.sync(t.Context(), o.(*corev1.Pod))
		}
	}
}

// store changes what Pods of a namespace fetch from now on.
func (k *kubelet) store(namespace, digest string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.models[namespace] = digest
}

// sync gives a Pod the status it should have. Errors do not matter: a Pod that
// changed meanwhile comes again.
func (k *kubelet) sync(ctx context.Context, p *corev1.Pod) {
	if p.Spec.NodeName != nodeName {
		return
	}
	if p.DeletionTimestamp != nil {
		_ = k.client.CoreV1().Pods(p.Namespace).Delete(ctx, p.Name, metav1.DeleteOptions{GracePeriodSeconds: new(int64)})
		return
	}
	k.mu.Lock()
	held, digest := k.held[p.Namespace+"/"+p.Labels[v1beta1.LabelRevision]], k.models[p.Namespace]
	k.mu.Unlock()
	status := corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "127.0.0.2", PodIPs: []corev1.PodIP{{IP: "127.0.0.2"}}}
	switch {
	case missing(p):
		status.Phase = corev1.PodPending
		status.InitContainerStatuses = []corev1.ContainerStatus{{
			Name:         v1beta1.ContainerFetch,
			RestartCount: 1,
			State:        corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "CrashLoopBackOff"}},
			LastTerminationState: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{
				ExitCode: 1, Reason: "Error", Message: "starting\nthere is no such object",
			}},
		}}
	case !held:
		status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	}
	if digest != "" {
		status.InitContainerStatuses = append(status.InitContainerStatuses, corev1.ContainerStatus{
			Name:  v1beta1.ContainerFetch,
			State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{Reason: "Completed", Message: digest}},
		})
	}
	ready := slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
	if p.Status.Phase == status.Phase && ready == (len(status.Conditions) > 0) && (v1beta1.PodModelDigest(p) != "" || len(p.Status.InitContainerStatuses) == len(status.InitContainerStatuses)) {
		return
	}
	p = p.DeepCopy()
	if len(p.Status.InitContainerStatuses) > 0 && v1beta1.PodModelDigest(p) != "" {
		status.InitContainerStatuses = p.Status.InitContainerStatuses // it fetched before
	}
	p.Status = status
	_, _ = k.client.CoreV1().Pods(p.Namespace).UpdateStatus(ctx, p, metav1.UpdateOptions{})
}

func missing(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Spec.InitContainers, func(c corev1.Container) bool {
		return slices.ContainsFunc(c.Args, func(a string) bool { return strings.HasSuffix(a, "/missing") })
	})
}

// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedv1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/record"
)

// Config describes a node.
type Config struct {
	REST     *rest.Config      // the API server
	Name     string            // of the Node object; "serin" when empty
	Dir      string            // for Pods, their volumes and logs; one node at a time
	Programs map[string]string // image repository, as in serin/queue, to the absolute path of its program
	Env      []string          // environment of every process, before what its Pod says
	Listener net.Listener      // where the API server reaches the node for logs, exec and port-forward
	TLS      *tls.Config       // server certificate; ClientCAs signed the clients that may connect
	Log      *slog.Logger
}

// node is a running node.
type node struct {
	Config
	client    kubernetes.Interface
	events    record.EventRecorder
	traced    bool  // programs may start traced
	apart     error // why Pods that bind the same port are not kept apart; nil if they are
	probers   probers
	hooks     *http.Client
	addresses addresses
	capacity  corev1.ResourceList

	mu      sync.Mutex
	workers map[types.UID]*worker
}

// Run runs the node until ctx ends, and returns when its processes and goroutines are gone. The Pods
// stay in the API, and the next Run in the same directory continues them.
func Run(ctx context.Context, c Config) error {
	if err := supported(); err != nil {
		return err
	}
	config := rest.CopyConfig(c.REST)
	config.QPS = -1 // unlimited: a client-side limit only delays Pods, on one node beside its API server
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return fmt.Errorf("client of the node: %w", err)
	}
	n, err := newNode(c, client)
	if err != nil {
		return err
	}
	return n.run(ctx)
}

func (n *node) run(ctx context.Context) error {
	records, err := reap(n.Dir)
	if err != nil {
		return fmt.Errorf("reap processes of an earlier node: %w", err)
	}
	if records > 0 {
		n.Log.Info("reaped processes of an earlier node", "records", records)
	}
	broadcaster := record.NewBroadcaster(record.WithContext(context.WithoutCancel(ctx)))
	broadcaster.StartRecordingToSink(&typedv1.EventSinkImpl{Interface: n.client.CoreV1().Events("")})
	defer broadcaster.Shutdown()
	n.events = broadcaster.NewRecorder(scheme.Scheme, corev1.EventSource{Component: "serin-node", Host: n.Name})

	if n.apart != nil {
		n.Log.Warn(sharedPorts, "because", n.apart)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return n.serve(ctx) })
	group.Go(func() error { return n.watch(ctx) })
	group.Go(func() error { return n.heartbeat(ctx) })
	return group.Wait()
}

func newNode(c Config, client kubernetes.Interface) (*node, error) {
	if c.Name == "" {
		c.Name = "serin"
	}
	var err error
	if c.Dir, err = filepath.Abs(c.Dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("directory of the node: %w", err)
	}
	traced, apart := tryOut()
	return &node{
		traced: traced, apart: apart,
		Config: c, client: client, probers: newProbers(),
		hooks:    &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
		capacity: capacity(),
		workers:  map[types.UID]*worker{},
	}, nil
}

// watch runs a worker for every Pod of the node.
func (n *node) watch(ctx context.Context) error {
	mine := fields.OneTermEqualSelector("spec.nodeName", n.Name).String()
	factory := informers.NewSharedInformerFactoryWithOptions(n.client, 0,
		informers.WithTweakListOptions(func(o *metav1.ListOptions) { o.FieldSelector = mine }))
	pods := factory.Core().V1().Pods().Informer()
	var running sync.WaitGroup
	defer running.Wait()
	factory.Start(ctx.Done())
	defer factory.Shutdown()
	if !cache.WaitForCacheSync(ctx.Done(), pods.HasSynced) {
		return nil
	}
	if err := n.adopt(pods.GetStore().List()); err != nil {
		return err
	}
	start := func(pod *corev1.Pod) {
		w := newWorker(n, pod)
		n.workers[pod.UID] = w
		running.Go(func() { w.run(ctx) })
	}
	seen := func(obj any) {
		if pod, ok := obj.(*corev1.Pod); ok && ctx.Err() == nil {
			n.seen(pod, start)
		}
	}
	_, err := pods.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    seen,
		UpdateFunc: func(_, obj any) { seen(obj) },
		DeleteFunc: n.deleted,
	})
	if err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

// adopt takes over the Pods of an earlier node: they keep their addresses, and the directories of
// Pods that are gone are removed.
func (n *node) adopt(pods []any) error {
	keep := map[types.UID]bool{}
	for _, obj := range pods {
		pod, ok := obj.(*corev1.Pod)
		if !ok {
			continue
		}
		keep[pod.UID] = true
		if pod.Status.PodIP != "" {
			n.address(pod)
		}
	}
	if err := sweep(n.Dir, keep); err != nil {
		return fmt.Errorf("remove directories of Pods that are gone: %w", err)
	}
	return nil
}

// seen hands a Pod to its worker. A Pod whose worker has ended stays known until the watch reports
// its deletion, so that a late update does not start it again.
func (n *node) seen(pod *corev1.Pod, start func(*corev1.Pod)) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if w, ok := n.workers[pod.UID]; ok {
		w.update(pod)
		return
	}
	start(pod)
}

func (n *node) deleted(obj any) {
	if unknown, ok := obj.(cache.DeletedFinalStateUnknown); ok {
		obj = unknown.Obj
	}
	pod, ok := obj.(*corev1.Pod)
	if !ok {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if w, ok := n.workers[pod.UID]; ok {
		w.forget()
		delete(n.workers, pod.UID)
	}
}

// worker finds the worker of a Pod by name; of several the one that is not being deleted.
func (n *node) worker(namespace, name string) (found *worker, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, w := range n.workers {
		pod := w.latest.Load()
		if pod.Namespace == namespace && pod.Name == name && (found == nil || pod.DeletionTimestamp == nil) {
			found = w
		}
	}
	return found, found != nil
}

// address is the Pod's own address.
func (n *node) address(pod *corev1.Pod) string {
	if pod.Spec.HostNetwork {
		return hostAddress
	}
	return n.addresses.take(pod.UID, pod.Status.PodIP)
}

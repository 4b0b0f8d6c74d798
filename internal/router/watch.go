// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/routing"
)

// gatherFor is how long after a change others are awaited that belong to the
// same table.
const gatherFor = 2 * time.Millisecond

// watch keeps the table as the API server has it, until ctx ends.
func (r *router) watch(ctx context.Context, services dynamic.Interface, pods kubernetes.Interface) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dynamicFactory := dynamicinformer.NewDynamicSharedInformerFactory(services, 0)
	defer dynamicFactory.Shutdown()
	podFactory := informers.NewSharedInformerFactoryWithOptions(pods, 0, informers.WithTweakListOptions(
		func(o *metav1.ListOptions) { o.LabelSelector = v1beta1.LabelRevision }))
	defer podFactory.Shutdown()
	defer cancel() // before the two Shutdowns wait

	changed := make(chan struct{}, 1)
	serviceInformer := dynamicFactory.ForResource(v1beta1.Resource).Informer()
	podInformer := podFactory.Core().V1().Pods().Informer()
	if err := errors.Join(
		r.warn(serviceInformer),
		r.follow("InferenceServices", serviceInformer, slimService, changed),
		r.follow("Pods", podInformer, slimPod, changed),
	); err != nil {
		return err
	}
	dynamicFactory.Start(ctx.Done())
	podFactory.Start(ctx.Done())
	if !cache.WaitForCacheSync(ctx.Done(), serviceInformer.HasSynced, podInformer.HasSynced) {
		return nil // ctx ended
	}
	r.rebuild(ctx, serviceInformer.GetStore(), podInformer.GetStore(), changed)
	return nil
}

// follow makes an informer keep only what the table needs and report changes.
func (r *router) follow(what string, informer cache.SharedIndexInformer, slim cache.TransformFunc, changed chan<- struct{}) error {
	notify := func() {
		select {
		case changed <- struct{}{}:
		default: // a rebuild is due already
		}
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { notify() },
		UpdateFunc: func(any, any) { notify() },
		DeleteFunc: func(any) { notify() },
	})
	err = errors.Join(err, informer.SetTransform(slim), informer.SetWatchErrorHandlerWithContext(
		func(ctx context.Context, _ *cache.Reflector, err error) {
			if ctx.Err() == nil {
				r.Log.Warn("watch "+what, "err", err)
			}
		}))
	if err != nil {
		return fmt.Errorf("watch %s: %w", what, err)
	}
	return nil
}

// warn logs once of every annotation that cannot be followed.
func (r *router) warn(informer cache.SharedIndexInformer) error {
	warn := func(before, now any) {
		s, ok := now.(*service)
		if old, _ := before.(*service); !ok || s.warning == "" || (old != nil && old.warning == s.warning) {
			return
		}
		r.Log.Warn("the split alone decides", "inferenceservice", s.Namespace+"/"+s.Name, "annotation", v1beta1.AnnotationSticky, "err", s.warning)
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(now any) { warn(nil, now) },
		UpdateFunc: warn,
	})
	return err
}

// rebuild makes a table now and after every change. After a large one it rests
// for as long as that took, to leave half of the time to requests.
func (r *router) rebuild(ctx context.Context, services, pods cache.Store, changed <-chan struct{}) {
	for {
		start := time.Now()
		r.use(input(services.List(), pods.List()))
		rest := max(gatherFor, time.Since(start))
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(rest):
		}
	}
}

// input is the caches' content as the table wants it.
func input(services, pods []any) routing.Input {
	in := routing.Input{
		Services: make([]routing.Service, 0, len(services)),
		Pods:     make([]routing.Pod, 0, len(pods)),
	}
	for _, o := range services {
		if s, ok := o.(*service); ok {
			in.Services = append(in.Services, s.routing)
		}
	}
	for _, o := range pods {
		if p, ok := o.(*corev1.Pod); ok && ready(p) {
			in.Pods = append(in.Pods, routing.Pod{
				Namespace:   p.Namespace,
				Revision:    p.Labels[v1beta1.LabelRevision],
				Addr:        net.JoinHostPort(p.Status.PodIP, strconv.Itoa(v1beta1.QueuePort)),
				Concurrency: concurrency(p),
			})
		}
	}
	return in
}

// ready reports whether a Pod may get requests.
func ready(p *corev1.Pod) bool {
	if p.DeletionTimestamp != nil || p.Status.PodIP == "" {
		return false
	}
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// concurrency is how many requests a Pod's queue lets through at once.
func concurrency(p *corev1.Pod) int {
	for _, c := range p.Spec.Containers {
		if c.Name != v1beta1.ContainerQueue {
			continue
		}
		for _, arg := range c.Args {
			if n, ok := strings.CutPrefix(arg, "--concurrency="); ok {
				limit, _ := strconv.Atoi(n) // what the queue cannot read it does not start with
				return limit
			}
		}
	}
	return 0
}

// service is what the cache keeps of an InferenceService.
type service struct {
	metav1.ObjectMeta
	routing routing.Service
	warning string // what is wrong with its annotations
}

// slimService keeps the traffic. Of the spec it reads one number: whatever
// else a user wrote there must not keep the router from any service.
func slimService(o any) (any, error) {
	u, ok := o.(*unstructured.Unstructured)
	if !ok {
		return o, nil // already slim, or a tombstone
	}
	var isvc struct {
		metav1.ObjectMeta `json:"metadata"`
		Status            v1beta1.InferenceServiceStatus `json:"status"`
	}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &isvc); err != nil {
		return nil, fmt.Errorf("read InferenceService %s/%s: %w", u.GetNamespace(), u.GetName(), err)
	}
	s := &service{
		ObjectMeta: slimMeta(isvc.ObjectMeta),
		routing:    routing.Service{Namespace: isvc.Namespace, Name: isvc.Name},
	}
	if sticky, ok := isvc.Annotations[v1beta1.AnnotationSticky]; ok {
		var err error
		if s.routing.Sticky, err = routing.ParseSticky(sticky); err != nil {
			s.warning = err.Error()
		}
	}
	if t, _, err := unstructured.NestedInt64(u.Object, "spec", "predictor", "timeout"); err == nil {
		s.routing.Timeout = time.Duration(min(t, v1beta1.MaxTimeoutSeconds)) * time.Second
	}
	for _, t := range isvc.Status.Components[v1beta1.Predictor].Traffic {
		share := routing.Share{Revision: t.RevisionName, Tag: t.Tag}
		if t.Percent != nil {
			share.Percent = int(*t.Percent)
		}
		s.routing.Traffic = append(s.routing.Traffic, share)
	}
	return s, nil
}

// slimPod keeps the revision, where and whether it answers, and how much.
func slimPod(o any) (any, error) {
	p, ok := o.(*corev1.Pod)
	if !ok {
		return o, nil // a tombstone
	}
	slim := &corev1.Pod{ObjectMeta: slimMeta(p.ObjectMeta)}
	slim.Labels = map[string]string{v1beta1.LabelRevision: p.Labels[v1beta1.LabelRevision]}
	for _, c := range p.Spec.Containers {
		if c.Name == v1beta1.ContainerQueue {
			slim.Spec.Containers = []corev1.Container{{Name: c.Name, Args: c.Args}}
		}
	}
	slim.Status.PodIP = p.Status.PodIP
	for _, c := range p.Status.Conditions {
		if c.Type == corev1.PodReady {
			slim.Status.Conditions = []corev1.PodCondition{{Type: c.Type, Status: c.Status}}
		}
	}
	return slim, nil
}

// slimMeta keeps what an informer and ready need.
func slimMeta(m metav1.ObjectMeta) metav1.ObjectMeta {
	return metav1.ObjectMeta{
		Namespace:         m.Namespace,
		Name:              m.Name,
		UID:               m.UID,
		ResourceVersion:   m.ResourceVersion,
		DeletionTimestamp: m.DeletionTimestamp,
	}
}

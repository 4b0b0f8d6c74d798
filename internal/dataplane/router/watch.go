// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/serin-dev/serin/api/v1beta1"
)

// gatherFor is how long after a change further changes go into the same table.
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
		r.follow("InferenceServices", serviceInformer, guarded(slimService, brokenService), changed),
		r.follow("Pods", podInformer, guarded(r.slimPod, brokenPod), changed),
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

// warn logs every annotation that cannot be read, once.
func (r *router) warn(informer cache.SharedIndexInformer) error {
	warn := func(before, after any) {
		s, ok := after.(*service)
		if old, _ := before.(*service); !ok || s.warning == "" || (old != nil && old.warning == s.warning) {
			return
		}
		r.Log.Warn("the split alone decides", "inferenceservice", s.Namespace+"/"+s.Name, "annotation", v1beta1.AnnotationSticky, "err", s.warning)
	}
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { warn(nil, o) },
		UpdateFunc: warn,
	})
	return err
}

// rebuild makes a table at once and after every change. It then pauses for as long
// as that took, to leave half of the time to requests.
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

// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"

	"github.com/serin-dev/serin/api/v1beta1"
)

// gatherFor is how long after a change further changes wait, to go into one table.
const gatherFor = 2 * time.Millisecond

// watch keeps the table as the API server has it, until ctx ends.
func (r *router) watch(ctx context.Context, services dynamic.Interface, pods kubernetes.Interface) error {
	ctx = klog.NewContext(ctx, logr.FromSlogHandler(r.Log.Handler()))
	var reflectors sync.WaitGroup
	defer reflectors.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	start := func(what string, from cache.ListerWatcher, object any, to cache.ReflectorStore) {
		reflector := cache.NewReflectorWithOptions(from, object, to, cache.ReflectorOptions{Name: "router", TypeDescription: what})
		reflectors.Go(func() { reflector.RunWithContext(ctx) })
	}
	start("InferenceServices", listWatch(services, services.Resource(v1beta1.Resource), "", r.mirror.services.slim), nil, &r.mirror.services)
	start("Pods", listWatch(pods, pods.CoreV1().Pods(""), v1beta1.LabelRevision, r.mirror.pods.slim), &corev1.Pod{}, &r.mirror.pods)
	for _, synced := range []chan struct{}{r.mirror.services.synced, r.mirror.pods.synced} {
		select {
		case <-ctx.Done():
			return nil
		case <-synced:
		}
	}
	r.follow(ctx)
	return nil
}

// collection is all objects of a kind, as a client of Kubernetes has it.
type collection[L runtime.Object] interface {
	List(ctx context.Context, o metav1.ListOptions) (L, error)
	Watch(ctx context.Context, o metav1.ListOptions) (watch.Interface, error)
}

// listWatch returns the objects of a kind that have a label, or all. Recent API servers
// send all objects as events of a watch. Of others it slims the list page by page.
func listWatch[L runtime.Object](client any, of collection[L], label string, slim cache.TransformFunc) cache.ListerWatcher {
	return cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error) {
			o.LabelSelector = label
			page, err := of.List(ctx, o)
			if err != nil {
				return nil, err
			}
			return slimList(page, slim)
		},
		WatchFuncWithContext: func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error) {
			o.LabelSelector = label
			return of.Watch(ctx, o)
		},
	}, client)
}

func slimList(page runtime.Object, slim cache.TransformFunc) (runtime.Object, error) {
	m, err := meta.ListAccessor(page)
	if err != nil {
		return nil, err
	}
	out := &metav1.List{ListMeta: metav1.ListMeta{ResourceVersion: m.GetResourceVersion(), Continue: m.GetContinue()}}
	return out, meta.EachListItem(page, func(o runtime.Object) error {
		s, err := slim(o)
		if object, ok := s.(runtime.Object); ok {
			out.Items = append(out.Items, runtime.RawExtension{Object: object})
		}
		return err
	})
}

// follow makes a table at once and after every change.
func (r *router) follow(ctx context.Context) {
	for {
		r.change(r.mirror.take())
		select {
		case <-ctx.Done():
			return
		case <-time.After(gatherFor):
		}
		select {
		case <-ctx.Done():
			return
		case <-r.mirror.due:
		}
	}
}

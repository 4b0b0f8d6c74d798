// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"context"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/serin-dev/serin/api/v1beta1"
)

// lookAgain is how often a followed service is looked at when nothing that is
// watched changes.
const lookAgain = time.Second

// follow calls look at once, then whenever the service or one of its Pods
// changes, and every second, until look has seen enough or ctx ends.
func (s *service) follow(ctx context.Context, look func(context.Context) (more bool, err error)) error {
	ctx, cancel := context.WithCancel(ctx)
	var watches sync.WaitGroup
	defer watches.Wait()
	defer cancel()
	changed := make(chan struct{}, 1)
	for _, w := range []struct {
		resource schema.GroupVersionResource
		of       metav1.ListOptions
	}{
		{v1beta1.Resource, metav1.ListOptions{FieldSelector: "metadata.name=" + s.name}},
		{corev1.SchemeGroupVersion.WithResource("pods"), metav1.ListOptions{LabelSelector: v1beta1.LabelService + "=" + s.name}},
	} {
		watches.Go(func() { s.watch(ctx, w.resource, w.of, changed) })
	}
	tick := time.NewTicker(lookAgain)
	defer tick.Stop()
	for {
		more, err := look(ctx)
		if err != nil || !more {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		case <-changed:
		}
	}
}

// watch signals changes. It is no source of truth: when a watch breaks, the
// service is still read every second, and watch tries again.
func (s *service) watch(ctx context.Context, resource schema.GroupVersionResource, of metav1.ListOptions, changed chan<- struct{}) {
	for ctx.Err() == nil {
		w, err := s.client.Resource(resource).Namespace(s.namespace).Watch(ctx, of)
		if err == nil {
			stop := context.AfterFunc(ctx, w.Stop)
			for range w.ResultChan() {
				select {
				case changed <- struct{}{}:
				default: // it is about to look anyway
				}
			}
			stop()
			w.Stop()
		}
		select {
		case <-ctx.Done():
		case <-time.After(lookAgain):
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/dynamic"

	"github.com/serin-dev/serin/api/v1beta1"
)

// shares are percents by revision.
type shares map[string]int64

// shown is the traffic that the status shows from a time on.
type shown struct {
	at      time.Time
	traffic shares
}

// follower watches the service and records which revision had which share when.
type follower struct {
	mu      sync.Mutex
	latest  v1beta1.InferenceService
	changed chan struct{} // closed when latest is another
	history []shown
}

func follow(ctx context.Context, services dynamic.ResourceInterface) *follower {
	f := &follower{changed: make(chan struct{})}
	go func() {
		for ctx.Err() == nil {
			f.watch(ctx, services)
		}
	}()
	return f
}

// watch takes the events of one watch. The first event is the present state.
func (f *follower) watch(ctx context.Context, services dynamic.ResourceInterface) {
	w, err := services.Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + service})
	if err != nil {
		time.Sleep(10 * time.Millisecond) // wait reports it in the end
		return
	}
	defer w.Stop()
	for event := range w.ResultChan() {
		u, ok := event.Object.(*unstructured.Unstructured)
		if !ok {
			return // the watch is too old
		}
		var isvc v1beta1.InferenceService
		if runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, &isvc) != nil {
			return
		}
		f.take(isvc)
	}
}

func (f *follower) take(isvc v1beta1.InferenceService) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.latest = isvc
	if now := traffic(&isvc); len(f.history) == 0 || !maps.Equal(f.history[len(f.history)-1].traffic, now) {
		f.history = append(f.history, shown{time.Now(), now})
	}
	close(f.changed)
	f.changed = make(chan struct{})
}

// past returns the history so far.
func (f *follower) past() []shown {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.history)
}

// wait returns the service once it passes the check.
func (f *follower) wait(ctx context.Context, what string, check func(*v1beta1.InferenceService) bool) (*v1beta1.InferenceService, error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	for {
		f.mu.Lock()
		latest, changed := f.latest, f.changed
		f.mu.Unlock()
		if check(&latest) {
			return &latest, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			status, _ := json.MarshalIndent(latest.Status, "", " ")
			return nil, fmt.Errorf("%s: did not happen within %s; generation %d, last status:\n%s", what, stepTimeout, latest.Generation, status)
		}
	}
}

// latest is the revision of the service's spec.
func latest(isvc *v1beta1.InferenceService) string {
	return isvc.Status.Components[v1beta1.Predictor].LatestCreatedRevision
}

// traffic returns the shares in the status.
func traffic(isvc *v1beta1.InferenceService) shares {
	all := shares{}
	for _, t := range isvc.Status.Components[v1beta1.Predictor].Traffic {
		if t.Percent != nil {
			all[t.RevisionName] += *t.Percent
		}
	}
	return all
}

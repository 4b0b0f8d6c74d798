// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"

	"github.com/serin-dev/serin/api/v1beta1"
)

// state is what a service's status shows, and since when this program knows.
type state struct {
	ready bool
	// split is set if there are two revisions and the newer is ready.
	split  bool
	canary int64 // percent of the newer revision
	since  time.Time
}

// services watches all services. Listing them now and then would be most of the
// API server's work.
type services struct {
	mu      sync.Mutex
	states  map[string]state // by name
	changed chan struct{}    // closed when a state is another
}

func watchServices(ctx context.Context, client dynamic.Interface) (*services, error) {
	s := &services{states: map[string]state{}, changed: make(chan struct{})}
	informer := dynamicinformer.NewDynamicSharedInformerFactory(client, 0).ForResource(v1beta1.Resource).Informer()
	if err := informer.SetTransform(s.see); err != nil {
		return nil, err
	}
	go informer.RunWithContext(ctx)
	if !cache.WaitForCacheSync(ctx.Done(), informer.HasSynced) {
		return nil, ctx.Err()
	}
	return s, nil
}

// see takes over the state of a service. The informer keeps only its name.
func (s *services) see(o any) (any, error) {
	u, ok := o.(*unstructured.Unstructured)
	if !ok {
		return o, nil
	}
	now := read(u)
	s.mu.Lock()
	defer s.mu.Unlock()
	if was := s.states[u.GetName()]; was.ready != now.ready || was.split != now.split || was.canary != now.canary {
		s.states[u.GetName()] = now
		close(s.changed)
		s.changed = make(chan struct{})
	}
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Namespace: u.GetNamespace(), Name: u.GetName(), ResourceVersion: u.GetResourceVersion(),
	}}, nil
}

func read(u *unstructured.Unstructured) state {
	st := state{since: time.Now()}
	conditions, _, _ := unstructured.NestedSlice(u.Object, "status", "conditions")
	for _, c := range conditions {
		if c, ok := c.(map[string]any); ok && c["type"] == "Ready" {
			st.ready = c["status"] == "True"
		}
	}
	predictor, _, _ := unstructured.NestedMap(u.Object, "status", "components", "predictor")
	latest, _ := predictor["latestReadyRevision"].(string)
	st.split = st.ready && strings.HasSuffix(latest, newer)
	traffic, _ := predictor["traffic"].([]any)
	for _, t := range traffic {
		if t, ok := t.(map[string]any); ok {
			if revision, _ := t["revisionName"].(string); strings.HasSuffix(revision, newer) {
				st.canary, _ = t["percent"].(int64)
			}
		}
	}
	return st
}

// of returns a service's state, and a channel that is closed when one changes.
func (s *services) of(name string) (state, <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.states[name], s.changed
}

// count returns how many services fulfil a condition.
func (s *services) count(fulfils func(state) bool) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, st := range s.states {
		if fulfils(st) {
			n++
		}
	}
	return n
}

const (
	// stuck is the longest time without progress. Among thousands each service waits
	// for its turn several times.
	stuck = 3 * time.Minute
	// reported is how often the progress is printed.
	reported = 5 * time.Second
)

// await waits until that many services fulfil a condition, and shows the progress.
func (s *services) await(ctx context.Context, what string, number int, fulfils func(state) bool, failed <-chan error) error {
	begin := time.Now()
	best, since, next := -1, begin, begin
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		n := s.count(fulfils)
		if n > best {
			best, since = n, time.Now()
		}
		if n >= number || time.Now().After(next) {
			fmt.Printf("  %4.0f s  %s: %d of %d\n", time.Since(begin).Seconds(), what, n, number)
			next = time.Now().Add(reported)
		}
		if n >= number {
			return nil
		}
		if time.Since(since) > stuck {
			return fmt.Errorf("%s: no more than %d services for %v", what, n, stuck)
		}
		select {
		case err := <-failed:
			return err
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// awaitCanary waits until the status shows a share, and returns since when.
func (s *services) awaitCanary(ctx context.Context, name string, percent int64) (time.Time, error) {
	for {
		st, changed := s.of(name)
		if st.canary == percent {
			return st.since, nil
		}
		select {
		case <-ctx.Done():
			return st.since, fmt.Errorf("%s: the status shows %d%%, not %d%%: %w", name, st.canary, percent, context.Cause(ctx))
		case <-changed:
		}
	}
}

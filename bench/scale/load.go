// SPDX-License-Identifier: Apache-2.0

//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/api/v1beta1"
)

// parallel bounds the writes of this program that run at a time.
const parallel = 16

// newer ends the name of a service's second revision, older of its first.
const (
	older = "-predictor-00001"
	newer = "-predictor-00002"
)

func name(i int) string { return fmt.Sprintf("iris-%d", i) }

func (s *system) namespace(i int) string { return fmt.Sprintf("team-%d", i%s.namespaces) }

// each calls do for services from one number to before another, some at a time, and
// shows the progress.
func (s *system) each(ctx context.Context, from, to int, do func(context.Context, int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallel)
	for i := from; i < to && ctx.Err() == nil; i++ {
		if i%1000 == 0 && i > from {
			fmt.Printf("  %d written\n", i)
		}
		g.Go(func() error { return do(ctx, i) })
	}
	return g.Wait()
}

func (s *system) create(ctx context.Context, i int) error {
	_, err := s.objects.Resource(v1beta1.Resource).Namespace(s.namespace(i)).Create(ctx, &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": v1beta1.GroupVersion.String(),
		"kind":       "InferenceService",
		"metadata":   map[string]any{"name": name(i)},
		"spec": map[string]any{"predictor": map[string]any{"model": map[string]any{
			"modelFormat": map[string]any{"name": "sklearn"},
			"storageUri":  "gs://bucket/one",
		}}},
	}}, metav1.CreateOptions{})
	return err
}

func (s *system) canary(ctx context.Context, i int) error {
	return s.patch(ctx, i, `{"spec":{"predictor":{"canaryTrafficPercent":0,"model":{"storageUri":"gs://bucket/two"}}}}`)
}

func (s *system) patch(ctx context.Context, i int, patch string) error {
	_, err := s.objects.Resource(v1beta1.Resource).Namespace(s.namespace(i)).Patch(ctx, name(i), types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	return err
}

// quiet is the work that is done while nothing changes.
type quiet struct {
	controller, router float64 // seconds of CPU
	requests           int
}

// during returns the work that is done in some time.
func (s *system) during(ctx context.Context, d time.Duration) (quiet, error) {
	look := func() (q quiet, err error) {
		c, r, err1 := s.use()
		q.controller, q.router = c.cpu, r.cpu
		var err2 error
		q.requests, err2 = s.apiRequests(ctx)
		return q, errors.Join(err1, err2)
	}
	before, err := look()
	if err != nil {
		return before, err
	}
	select {
	case <-ctx.Done():
		return before, context.Cause(ctx)
	case <-time.After(d):
	}
	after, err := look()
	return quiet{after.controller - before.controller, after.router - before.router, after.requests - before.requests}, err
}

// settle waits for the late effects of earlier changes, such as the last statuses of
// Pods and Deployments, until nothing happens for a while.
func (s *system) settle(ctx context.Context, while time.Duration) error {
	for begin := time.Now(); ; {
		q, err := s.during(ctx, while)
		if err != nil {
			return err
		}
		if q.requests == 0 && q.controller < 0.05 {
			fmt.Printf("settled after %.0f s\n", time.Since(begin).Seconds())
			return nil
		}
		if time.Since(begin) > stuck {
			return fmt.Errorf("no rest: in the last %v, controller %.2f s of CPU and %d requests", while, q.controller, q.requests)
		}
	}
}

// settled is how long nothing must happen before the quiet is measured.
const settled = 5 * time.Second

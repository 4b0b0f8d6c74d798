// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/serin-dev/serin/api/v1beta1"
)

// step is one of those between a request and its answer.
type step int

const (
	scaled step = iota
	created
	scheduled
	ready
	answered
	steps
)

var names = [steps]string{
	"the autoscaler writes replicas", "Kubernetes makes the Pod", "Kubernetes schedules it",
	"the node makes it ready", "the router gets the answer",
}

// timeline says when each step was done, counted from the request.
type timeline [steps]time.Duration

// asleep waits until the service has no Pod left, Terminating ones included.
func (h *home) asleep(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		pods, err := h.client.CoreV1().Pods(namespace).List(ctx, selected)
		if err != nil {
			return fmt.Errorf("wait for zero Pods: %w", err)
		}
		if len(pods.Items) == 0 {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// wake sends a request and follows what it sets in motion.
func (h *home) wake(ctx context.Context) (timeline, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	deployments, err := h.client.AppsV1().Deployments(namespace).Watch(ctx, selected)
	if err != nil {
		return timeline{}, err
	}
	defer deployments.Stop()
	pods, err := h.client.CoreV1().Pods(namespace).Watch(ctx, selected)
	if err != nil {
		return timeline{}, err
	}
	defer pods.Stop()

	var t timeline
	begin := time.Now()
	done := func(s step, when bool) {
		if when && t[s] == 0 {
			t[s] = time.Since(begin)
		}
	}
	answer := make(chan error, 1)
	go func() { answer <- h.predict(ctx) }()
	for t[answered] == 0 || t[ready] == 0 {
		select {
		case err := <-answer:
			if err != nil {
				return timeline{}, err
			}
			done(answered, true)
		case e := <-deployments.ResultChan():
			if d, ok := e.Object.(*appsv1.Deployment); ok {
				done(scaled, *d.Spec.Replicas > 0)
			}
		case e := <-pods.ResultChan():
			if p, ok := e.Object.(*corev1.Pod); ok && e.Type != watch.Deleted {
				done(created, true)
				done(scheduled, p.Spec.NodeName != "")
				done(ready, v1beta1.PodReady(p) != nil)
			}
		case <-ctx.Done():
			return timeline{}, fmt.Errorf("no answer: %w (so far %v)", ctx.Err(), t)
		}
	}
	return t, nil
}

// predict sends a request to the service. A new connection costs less than a
// millisecond, so it does not matter whether there is one already.
func (h *home) predict(ctx context.Context) error {
	url := "http://" + h.Router + "/v1/models/" + service + ":predict"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(`{"instances": [[6.8, 2.8, 4.8, 1.4]]}`))
	if err != nil {
		return err
	}
	req.Host = service + "." + namespace + ".example.com"
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", res.Status, body)
	}
	return err
}

var selected = metav1.ListOptions{LabelSelector: v1beta1.LabelService + "=" + service}

// apply creates the service and waits for its first answer.
func (h *home) apply(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	s := &v1beta1.InferenceService{}
	s.APIVersion, s.Kind = v1beta1.GroupVersion.String(), v1beta1.Kind.Kind
	s.Namespace, s.Name = namespace, service
	// The shortest window there is: the service is soon at zero again.
	s.Annotations = map[string]string{"autoscaling.knative.dev/window": "6s"}
	s.Spec.Predictor.MinReplicas = new(int32(0))
	s.Spec.Predictor.Model = &v1beta1.ModelSpec{ModelFormat: v1beta1.ModelFormat{Name: "sklearn"}}
	s.Spec.Predictor.Model.StorageURI = &modelURI
	if err := h.create(ctx, s); err != nil {
		return fmt.Errorf("create %s: %w", service, err)
	}
	for {
		if err := h.predict(ctx); err == nil {
			return nil
		} else if ctx.Err() != nil {
			return fmt.Errorf("wait for %s: %w", service, err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

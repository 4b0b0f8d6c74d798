// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"

	"github.com/serin-dev/serin/api/v1beta1"
)

// settleTimeout bounds a step: a small model needs far less, even on a slow machine.
const settleTimeout = 2 * time.Minute

// settled prints the status of the service until its spec is in effect, and
// returns an error unless the traffic is as given then.
func (d *demo) settled(ctx context.Context, traffic string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, settleTimeout, fmt.Errorf("%s took more than %s", demoService, settleTimeout))
	defer cancel()
	w, err := d.services.Watch(ctx, metav1.ListOptions{FieldSelector: "metadata.name=" + demoService})
	if err != nil {
		return fmt.Errorf("watch %s: %w", demoService, err)
	}
	defer w.Stop()
	start, shown := time.Now(), ""
	for e := range w.ResultChan() {
		s, err := service(e)
		if err != nil {
			return err
		}
		if said := saying(s); said != shown {
			shown = said
			fmt.Fprintf(d.out, "  %5.1fs  %s\n", time.Since(start).Seconds(), said)
		}
		if !ready(s) {
			continue
		}
		if got := shares(s); got != traffic {
			return fmt.Errorf("the traffic is %s, not %s", got, traffic)
		}
		return d.routed(ctx, s.Status.Components[v1beta1.Predictor].Traffic)
	}
	return fmt.Errorf("%w; the last of it: %s", errors.Join(context.Cause(ctx), errWatchEnded), shown)
}

var errWatchEnded = errors.New("the watch ended")

// service is the InferenceService of a watch's event.
func service(e watch.Event) (*v1beta1.InferenceService, error) {
	u, ok := e.Object.(*unstructured.Unstructured)
	if !ok {
		return nil, fmt.Errorf("watch %s: %w", demoService, apierrors.FromObject(e.Object))
	}
	s := &v1beta1.InferenceService{}
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(u.Object, s); err != nil {
		return nil, fmt.Errorf("read %s: %w", demoService, err)
	}
	return s, nil
}

func ready(s *v1beta1.InferenceService) bool {
	return s.Status.ObservedGeneration == s.Generation && readiness(s) == metav1.ConditionTrue
}

func readiness(s *v1beta1.InferenceService) metav1.ConditionStatus {
	for _, c := range s.Status.Conditions {
		if c.Type == v1beta1.ConditionReady {
			return c.Status
		}
	}
	return metav1.ConditionUnknown
}

// saying returns the service's status in one line.
func saying(s *v1beta1.InferenceService) string {
	if s.Status.ObservedGeneration != s.Generation {
		return "accepted"
	}
	said := fmt.Sprintf("Ready=%s", readiness(s))
	if m := s.Status.ModelStatus; m != nil {
		said += fmt.Sprintf(", model %s", m.States.TargetModelState)
		if m.LastFailureInfo != nil {
			said += ": " + m.LastFailureInfo.Sentence()
		}
	}
	if t := shares(s); t != "" {
		said += "; traffic " + t
	}
	return said
}

// shares reads like "10% r2, 90% r1".
func shares(s *v1beta1.InferenceService) string {
	var out []string
	for _, t := range s.Status.Components[v1beta1.Predictor].Traffic {
		out = append(out, fmt.Sprintf("%d%% %s", *t.Percent, t.RevisionName))
	}
	return strings.Join(out, ", ")
}

// routed waits the few milliseconds until the router follows the status: each tag
// leads to its revision, and a removed tag to none.
func (d *demo) routed(ctx context.Context, traffic []v1beta1.TrafficTarget) error {
	want := map[string]string{v1beta1.TagLatest: "", v1beta1.TagPrev: ""}
	for _, t := range traffic {
		want[t.Tag] = t.RevisionName
	}
	delete(want, "")
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for tag, revision := range want {
		for {
			a, err := d.ask(ctx, demoService, tag)
			if err != nil {
				return err
			}
			if a.revision == revision {
				break
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("%w; tag %q still asks for %q", context.Cause(ctx), tag, a.revision)
			case <-tick.C:
			}
		}
	}
	return nil
}

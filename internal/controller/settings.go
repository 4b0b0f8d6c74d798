// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"
	"maps"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/render"
	"github.com/serin-dev/serin/internal/rollout"
	"github.com/serin-dev/serin/internal/routing"
	"github.com/serin-dev/serin/internal/scale"
)

// readSettings reads what annotations say: no schema has checked them.
func (w *world) readSettings() *rollout.Invalid {
	concurrency := w.service.Spec.Predictor.ContainerConcurrency
	if concurrency == nil {
		concurrency = new(int64)
	}
	s, err := scale.Read(annotations(w.service, *concurrency))
	for _, err := range []error{err, foreignScaling(w.service.Annotations), stickiness(w.service.Annotations), v1beta1.CheckVisibility(w.service.Labels, w.service.Spec.Predictor.Labels)} {
		if err != nil {
			return &rollout.Invalid{Reason: v1beta1.InvalidPredictorSpec, Message: err.Error()}
		}
	}
	w.settings = &s
	return nil
}

// foreignScaling refuses annotations by which KServe makes others scale.
func foreignScaling(annotations map[string]string) error {
	for _, name := range []string{"autoscalerClass", "metrics", "targetUtilizationPercentage"} {
		key := v1beta1.GroupVersion.Group + "/" + name
		if v, ok := annotations[key]; ok {
			return fmt.Errorf("annotation %s %q belongs to the HorizontalPodAutoscaler, which Serin does not use: remove it, and set scaleMetric and scaleTarget", key, v)
		}
	}
	return nil
}

func stickiness(annotations map[string]string) error {
	value, ok := annotations[v1beta1.AnnotationSticky]
	if !ok {
		return nil
	}
	if _, err := routing.ParseSticky(value); err != nil {
		return fmt.Errorf("annotation %s: %w", v1beta1.AnnotationSticky, err)
	}
	return nil
}

// least is the least number of replicas of a revision with traffic: as the
// settings say or, where they make no sense, as before.
func (w *world) least() int32 {
	if w.settings != nil {
		return w.settings.Min
	}
	for _, r := range w.revisions {
		if r.record.Name == w.service.Status.Components[v1beta1.Predictor].LatestRolledoutRevision && r.deployment != nil {
			if n, err := strconv.ParseInt(r.deployment.Annotations[v1beta1.AnnotationMinReplicas], 10, 32); err == nil {
				return int32(n)
			}
		}
	}
	return 1
}

// scaling is how a revision scales: as the current spec says or, where that
// makes no sense, as before.
func (w *world) scaling(t *render.Template, d *appsv1.Deployment, starting bool) map[string]string {
	if w.settings == nil {
		before := map[string]string{v1beta1.AnnotationMinReplicas: "1"}
		if d != nil {
			before = maps.Clone(d.Annotations)
		}
		maps.DeleteFunc(before, func(k, _ string) bool {
			return !strings.HasPrefix(k, v1beta1.PrefixAutoscaling) && k != v1beta1.AnnotationMinReplicas && k != v1beta1.AnnotationMaxReplicas
		})
		if starting && before[v1beta1.AnnotationMinReplicas] == "0" {
			before[v1beta1.AnnotationMinReplicas] = "1" // it has yet to show that it can serve
		}
		return before
	}
	least := w.settings.Min
	if starting {
		least = w.settings.Start()
	}
	a := annotations(w.service, t.Concurrency())
	a[v1beta1.AnnotationMinReplicas] = strconv.Itoa(int(least))
	a[v1beta1.AnnotationMaxReplicas] = strconv.Itoa(int(w.settings.Max))
	return a
}

// annotations are what people say about scaling a revision that serves so many
// requests at once.
func annotations(s *v1beta1.InferenceService, concurrency int64) map[string]string {
	p := &s.Spec.Predictor
	return scale.Annotations(s.Annotations, p.Annotations, &p.ComponentExtension, concurrency)
}

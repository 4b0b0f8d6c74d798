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

// readSettings reads and checks the annotations, which no schema checks.
func (s *snapshot) readSettings() *rollout.Invalid {
	concurrency := s.service.Spec.Predictor.ContainerConcurrency
	if concurrency == nil {
		concurrency = new(int64)
	}
	settings, err := scale.Read(annotations(s.service, *concurrency))
	for _, err := range []error{err, foreignScaling(s.service.Annotations), stickiness(s.service.Annotations), v1beta1.CheckVisibility(s.service.Labels, s.service.Spec.Predictor.Labels)} {
		if err != nil {
			return &rollout.Invalid{Reason: v1beta1.InvalidPredictorSpec, Message: err.Error()}
		}
	}
	s.settings = &settings
	return nil
}

// foreignScaling refuses KServe's annotations for other autoscalers.
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

// least is the least number of replicas of a revision with traffic. While the
// settings are invalid it stays as it was.
func (s *snapshot) least() int32 {
	if s.settings != nil {
		return s.settings.Min
	}
	for _, r := range s.revisions {
		if r.record.Name == s.service.Status.Components[v1beta1.Predictor].LatestRolledoutRevision && r.deployment != nil {
			if n, err := strconv.ParseInt(r.deployment.Annotations[v1beta1.AnnotationMinReplicas], 10, 32); err == nil {
				return int32(n)
			}
		}
	}
	return 1
}

// scaling says how a revision scales. While the settings are invalid it stays as
// it was.
func (s *snapshot) scaling(t *render.Template, d *appsv1.Deployment, starting bool) map[string]string {
	if s.settings == nil {
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
	least := s.settings.Min
	if starting {
		least = s.settings.Start()
	}
	a := annotations(s.service, t.Concurrency())
	a[v1beta1.AnnotationMinReplicas] = strconv.Itoa(int(least))
	a[v1beta1.AnnotationMaxReplicas] = strconv.Itoa(int(s.settings.Max))
	return a
}

// annotations are the user's settings for scaling a revision whose Pods serve that
// many requests at once.
func annotations(s *v1beta1.InferenceService, concurrency int64) map[string]string {
	p := &s.Spec.Predictor
	return scale.Annotations(s.Annotations, p.Annotations, &p.ComponentExtension, concurrency)
}

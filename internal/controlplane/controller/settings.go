// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"fmt"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/rollout"
	"github.com/serin-dev/serin/internal/controlplane/scale"
)

// readSettings reads and checks the annotations, which no schema checks.
func (s *snapshot) readSettings() *rollout.Invalid {
	concurrency := s.service.Spec.Predictor.ContainerConcurrency
	if concurrency == nil {
		concurrency = new(int64)
	}
	settings, err := scale.Read(annotations(s.service, *concurrency))
	predictor := &s.service.Spec.Predictor
	for _, err := range []error{
		err, foreignScaling(s.service.Annotations), stickiness(s.service.Annotations),
		v1beta1.CheckVisibility(s.service.Labels, predictor.Labels),
		v1beta1.CheckAuth(s.service.Annotations, predictor.Annotations),
	} {
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
	if _, err := v1beta1.ParseSticky(value); err != nil {
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
			return r.demand.Min
		}
	}
	return 1
}

// demand says how a revision scales. While the settings are invalid it stays as
// it was.
func (s *snapshot) demand(have revision, planned rollout.PlannedRevision) scale.Demand {
	d := have.demand
	starting := planned.Starting || planned.New
	if s.settings != nil {
		d = scale.Demand{Min: s.settings.Min, Max: s.settings.Max, Tuning: annotations(s.service, have.template.Concurrency())}
		if starting {
			d.Min = s.settings.Start()
		}
	}
	if starting {
		d.Min = max(d.Min, 1) // it has yet to show that it can serve
	}
	d.Active, d.IdleSince = planned.Active, planned.IdleSince
	return d
}

// annotations are the user's settings for scaling a revision whose Pods serve that
// many requests at once.
func annotations(s *v1beta1.InferenceService, concurrency int64) map[string]string {
	p := &s.Spec.Predictor
	return scale.Annotations(s.Annotations, p.Annotations, &p.ComponentExtension, concurrency)
}

// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"time"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/render"
	"github.com/serin-dev/serin/internal/rollout"
)

// decide puts the world before the rollout's rules.
func (w *world) decide(c Config, now time.Time) rollout.Plan {
	in := rollout.Input{
		Service:  w.service,
		Domain:   c.Domain,
		Scheme:   c.Scheme,
		Private:  private(w.service),
		Taken:    w.taken,
		Target:   rollout.Target{Invalid: w.invalid, Model: render.Model(&w.service.Spec.Predictor)},
		Refusals: w.refusals,
		Min:      w.least(),
		Now:      now,
	}
	if t := w.template; t != nil {
		in.Target = rollout.Target{Invalid: w.invalid, Hash: t.Hash, Model: t.Model, Runtime: t.Runtime, ClusterRuntime: t.ClusterRuntime}
	}
	for _, r := range w.revisions {
		one := rollout.Revision{
			Name:      r.record.Name,
			Number:    int(r.record.Revision),
			Health:    rollout.HealthOf(r.pods, r.deployment),
			IdleSince: idleSince(r.deployment),
		}
		if r.template != nil {
			one.Hash, one.Model = r.template.Hash, r.template.Model
		}
		in.Revisions = append(in.Revisions, one)
	}
	n := rollout.NextNumber(w.service.Name, in.Revisions, w.service.Status.Components[v1beta1.Predictor])
	in.Next = rollout.NewRevision{Name: render.RevisionName(w.service.Name, v1beta1.Predictor, n), Number: n}
	return rollout.Decide(in)
}

// idleSince is what an earlier decision noted on the revision's Deployment.
func idleSince(d *appsv1.Deployment) time.Time {
	if d == nil {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339, d.Annotations[v1beta1.AnnotationIdleSince])
	if err != nil {
		return time.Time{}
	}
	return t
}

// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"time"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/render"
	"github.com/serin-dev/serin/internal/controlplane/rollout"
)

// decide asks the rules of package rollout.
func (s *snapshot) decide(c Config, now time.Time) rollout.Plan {
	in := rollout.Input{
		Service:  s.service,
		Domain:   c.Domain,
		Scheme:   c.Scheme,
		Private:  private(s.service),
		Taken:    s.taken,
		Target:   rollout.Target{Invalid: s.invalid, Model: render.Model(&s.service.Spec.Predictor)},
		Refusals: s.refusals,
		Min:      s.least(),
		Now:      now,
		Routable: c.Routable,
	}
	if t := s.template; t != nil {
		in.Target = rollout.Target{Invalid: s.invalid, Hash: t.Hash, Model: t.Model, Runtime: t.Runtime, ClusterRuntime: t.ClusterRuntime}
	}
	for _, r := range s.revisions {
		one := rollout.Revision{
			Name:      r.record.Name,
			Number:    int(r.record.Revision),
			Digest:    v1beta1.RecordedDigest(r.record),
			Health:    rollout.HealthOf(r.observed(now)),
			IdleSince: r.demand.IdleSince,
		}
		if r.template != nil {
			one.Hash, one.Model, one.HoldsModel = r.template.Hash, r.template.Model, r.template.HoldsModel
			one.Deployed, one.Drained = r.deployment != nil, r.drained()
		}
		in.Revisions = append(in.Revisions, one)
	}
	n := rollout.NextNumber(s.service.Name, in.Revisions, s.service.Status.Components[v1beta1.Predictor])
	in.Next = rollout.Revision{Name: v1beta1.Predictor.RevisionName(s.service.Name, n), Number: n}
	p := rollout.Decide(in)
	s.again = p.Again
	return p
}

func (r *revision) observed(now time.Time) rollout.Observed {
	return rollout.Observed{Pods: r.pods, Deployment: r.deployment, Events: r.events, Now: now}
}

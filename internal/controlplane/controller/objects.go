// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/render"
	"github.com/serin-dev/serin/internal/controlplane/rollout"
	"github.com/serin-dev/serin/internal/controlplane/scale"
)

// wanted is an object as it should be, and as the cache shows it.
type wanted struct {
	object   runtime.ApplyConfiguration
	current  client.Object // nil if there is none
	revision string        // that it belongs to; empty: the service's own
	// idle marks a Deployment that may go to zero. It is written only once the
	// stored status gives it no traffic.
	idle bool
}

// objects renders what should exist: the objects of each revision, the Services
// by which the service is called within the cluster, and its external route.
func (s *snapshot) objects(p rollout.Plan, cfg Config) []wanted {
	var out []wanted
	for _, planned := range p.Revisions {
		have := s.revision(planned)
		if have.template == nil {
			continue
		}
		o := s.render(planned, have)
		out = append(out, wanted{object: o.Record, current: orNil(have.record), revision: planned.Name})
		if planned.Deployed {
			out = append(out, wanted{object: o.Deployment, current: orNil(have.deployment), revision: planned.Name, idle: !planned.Active})
		}
	}
	out = append(out, s.modelsObject(p)...)
	if cfg.Router != "" {
		for _, ac := range render.Addresses(s.service, cfg.Router) {
			if s.taken[*ac.Name] == "" {
				out = append(out, wanted{object: ac, current: orNil(s.addresses[*ac.Name])})
			}
		}
	}
	if names := hostnames(p.Status); cfg.ExternalRoute.Enabled() && len(names) > 0 && !private(s.service) {
		out = append(out, wanted{object: cfg.ExternalRoute.Object(s.service, names), current: s.externalRoute})
	}
	return out
}

// revision returns what exists of a planned revision. A new one has only a
// template.
func (s *snapshot) revision(planned rollout.PlannedRevision) revision {
	for _, r := range s.revisions {
		if r.record.Name == planned.Name {
			return r
		}
	}
	return revision{template: s.template, demand: scale.Demand{Min: 1}}
}

func (s *snapshot) render(planned rollout.PlannedRevision, have revision) render.RevisionObjects {
	return render.Objects(s.service, render.Revision{
		Name:     planned.Name,
		Number:   planned.Number,
		Template: have.template,
		Scale:    s.demand(have, planned),
	})
}

// toDelete returns the Deployments of revisions that need none, the records of
// those that need not exist, and the orphans. A record outlives its Deployment.
func (s *snapshot) toDelete(p rollout.Plan) []client.Object {
	toDelete := s.orphans
	for _, r := range s.revisions {
		planned := p.Revision(r.record.Name)
		switch {
		case r.deployment != nil && (planned == nil || !planned.Deployed && r.template != nil):
			toDelete = append(toDelete, r.deployment)
		case planned == nil:
			toDelete = append(toDelete, r.record)
		}
	}
	return toDelete
}

// drained reports whether no request can notice that the revision's Deployment is
// deleted: the autoscaler, told that it is idle, has taken its replicas after the
// last request, and no Pod is left that has not ended.
func (r revision) drained() bool {
	d := r.deployment
	switch {
	case d == nil, d.Annotations[v1beta1.AnnotationActive] != "false":
		return false
	case d.Spec.Replicas == nil, *d.Spec.Replicas > 0, d.Status.ObservedGeneration < d.Generation, d.Status.Replicas > 0:
		return false
	}
	return !slices.ContainsFunc(r.pods, func(p corev1.Pod) bool { return !v1beta1.PodFinished(&p) })
}

// orNil returns a nil interface for a nil pointer.
func orNil[T any, P interface {
	*T
	client.Object
}](p P) client.Object {
	if p == nil {
		return nil
	}
	return p
}

// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	appsv1ac "k8s.io/client-go/applyconfigurations/apps/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/render"
	"github.com/serin-dev/serin/internal/rollout"
	"github.com/serin-dev/serin/internal/scale"
)

// wanted is an object as it should be, and as the cache shows it, if it does.
type wanted struct {
	object   runtime.ApplyConfiguration
	current  client.Object // nil if there is none
	revision string        // whose it is; empty: the service's own
	// idle marks a Deployment that may go to zero: to be written only once the
	// stored status gives it no traffic.
	idle bool
}

// objects renders what should exist. Where the router has a host name, the
// service's names within the cluster lead there, and where something stands
// before it, that leads to the service.
func (w *world) objects(p rollout.Plan, cfg Config) []wanted {
	var out []wanted
	add := func(name string, number int, t *render.Template, demand scale.Demand, current ...client.Object) {
		active := slices.Contains(p.Active, name)
		demand.Active, demand.IdleSince = active, p.IdleSince[name]
		for i, o := range render.Objects(w.service, render.Revision{
			Name:     name,
			Number:   number,
			Template: t,
			Scale:    demand,
		}) {
			_, deployment := o.(*appsv1ac.DeploymentApplyConfiguration)
			out = append(out, wanted{o, current[i], name, deployment && !active})
		}
	}
	for _, r := range w.revisions {
		if slices.Contains(p.Keep, r.record.Name) && r.template != nil {
			add(r.record.Name, int(r.record.Revision), r.template, w.demand(r, slices.Contains(p.Starting, r.record.Name)), r.record, orNil(r.deployment), orNil(r.service))
		}
	}
	if c := p.Create; c != nil {
		add(c.Name, c.Number, w.template, w.demand(revision{template: w.template, demand: scale.Demand{Min: 1}}, true), nil, nil, nil)
	}
	if cfg.Router != "" {
		for _, ac := range render.Addresses(w.service, cfg.Router) {
			if w.taken[*ac.Name] == "" {
				out = append(out, wanted{object: ac, current: orNil(w.addresses[*ac.Name])})
			}
		}
	}
	if names := hostnames(p.Status); cfg.Front.Exists() && len(names) > 0 && !private(w.service) {
		out = append(out, wanted{object: cfg.Front.Route(w.service, names), current: w.front})
	}
	return out
}

// demand is how a revision scales: as the current spec says or, where that
// makes no sense, as before.
func (w *world) demand(r revision, starting bool) scale.Demand {
	d := r.demand
	if w.settings != nil {
		d = scale.Demand{Min: w.settings.Min, Max: w.settings.Max, Tuning: annotations(w.service, r.template.Concurrency())}
		if starting {
			d.Min = w.settings.Start()
		}
	}
	if starting {
		d.Min = max(d.Min, 1) // it has yet to show that it can serve
	}
	return d
}

// annotations are what people say about scaling a revision that serves so many
// requests at once.
func annotations(s *v1beta1.InferenceService, concurrency int64) map[string]string {
	p := &s.Spec.Predictor
	return scale.Annotations(s.Annotations, p.Annotations, &p.ComponentExtension, concurrency)
}

// orNil makes of a nil pointer a nil interface.
func orNil[T any, P interface {
	*T
	client.Object
}](p P) client.Object {
	if p == nil {
		return nil
	}
	return p
}

// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/internal/render"
	"github.com/serin-dev/serin/internal/rollout"
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
	for _, planned := range p.Revisions {
		have := w.revision(planned)
		if have.template == nil {
			continue
		}
		o := w.render(planned, have)
		out = append(out,
			wanted{object: o.Record, current: orNil(have.record), revision: planned.Name},
			wanted{object: o.Deployment, current: orNil(have.deployment), revision: planned.Name, idle: !planned.Active},
			wanted{object: o.Service, current: orNil(have.service), revision: planned.Name},
		)
	}
	if cfg.Router != "" {
		for _, ac := range render.Addresses(w.service, cfg.Router) {
			if w.taken[*ac.Name] == "" {
				out = append(out, wanted{object: ac, current: orNil(w.addresses[*ac.Name])})
			}
		}
	}
	if names := hosts(p.Status); cfg.Front.Exists() && len(names) > 0 && !private(w.service) {
		out = append(out, wanted{object: cfg.Front.Route(w.service, names), current: w.front})
	}
	return out
}

// revision returns what exists of a planned revision: of a new one, a template.
func (w *world) revision(planned rollout.PlannedRevision) revision {
	for _, r := range w.revisions {
		if r.record.Name == planned.Name {
			return r
		}
	}
	return revision{template: w.template}
}

func (w *world) render(planned rollout.PlannedRevision, have revision) render.RevisionObjects {
	return render.Objects(w.service, render.Revision{
		Name:      planned.Name,
		Number:    planned.Number,
		Template:  have.template,
		Active:    planned.Active,
		IdleSince: planned.IdleSince,
		Scaling:   w.scaling(have.template, have.deployment, planned.Starting || planned.New),
	})
}

// doomed are the objects of revisions that are no longer kept.
func (w *world) doomed(p rollout.Plan) []client.Object {
	doomed := w.strays
	for _, r := range w.revisions {
		if p.Revision(r.record.Name) != nil {
			continue
		}
		for _, o := range []client.Object{orNil(r.deployment), orNil(r.service), r.record} {
			if o != nil {
				doomed = append(doomed, o)
			}
		}
	}
	return doomed
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

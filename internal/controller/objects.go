// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"maps"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/runtime"
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

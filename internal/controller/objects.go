// SPDX-License-Identifier: Apache-2.0

package controller

import (
	"slices"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/serin-dev/serin/internal/render"
	"github.com/serin-dev/serin/internal/rollout"
)

// wanted is an object as it should be, and as the cache shows it, if it does.
type wanted struct {
	object  runtime.ApplyConfiguration
	current client.Object // nil if there is none
}

// objects renders what should exist.
func (w *world) objects(p rollout.Plan) []wanted {
	var out []wanted
	bounds := w.service.Spec.Predictor.ComponentExtension
	least := int32(1)
	if bounds.MinReplicas != nil {
		least = *bounds.MinReplicas
	}
	add := func(name string, number int, t *render.Template, current ...client.Object) {
		for i, o := range render.Objects(w.service, render.Revision{
			Name:      name,
			Number:    number,
			Template:  t,
			Active:    slices.Contains(p.Active, name),
			IdleSince: p.IdleSince[name],
			Min:       least,
			Max:       bounds.MaxReplicas,
		}) {
			out = append(out, wanted{o, current[i]})
		}
	}
	for _, r := range w.revisions {
		if slices.Contains(p.Keep, r.record.Name) {
			add(r.record.Name, int(r.record.Revision), r.template, r.record, orNil(r.deployment), orNil(r.service))
		}
	}
	if c := p.Create; c != nil {
		add(c.Name, c.Number, w.template, nil, nil, nil)
	}
	return out
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

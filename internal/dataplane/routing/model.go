// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"encoding/hex"
	"slices"
	"strings"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Model is the first half of a model's digest; zero: it is not known. Half of one is
// enough to tell models apart, and there is one for each Pod.
type Model [16]byte

// ParseModel returns the Model of a digest, zero if it is none.
func ParseModel(digest string) (m Model) {
	if v1beta1.IsModelDigest(digest) {
		_, digits, _ := strings.Cut(digest, ":")
		_, _ = hex.Decode(m[:], []byte(digits[:2*len(m)])) // they are digits
	}
	return m
}

// foreign reports whether a Pod serves another model than its revision.
func (r *Revision) foreign(e *Endpoint) bool {
	return r.model != Model{} && e.model != Model{} && e.model != r.model
}

// hold leaves out the Pods that serve another model.
func (r *Revision) hold(model Model) {
	r.model = model
	if r.endpoints = r.pods; slices.ContainsFunc(r.pods, r.foreign) {
		r.endpoints = slices.DeleteFunc(slices.Clone(r.pods), r.foreign)
	}
}

// model returns the model that a revision's Pods must serve: the one before, once it
// has no traffic.
func (b *builder) model(r *Revision) Model {
	if len(r.services) == 0 {
		return r.model // a request in flight may still be sent to another Pod
	}
	route, _ := b.routes.Get(Name{r.Namespace, r.services[0]})
	m, _ := modelOf(route.service.Traffic, r.Name)
	return m
}

// modelOf returns the model of a revision, and whether the traffic names it.
func modelOf(traffic []Share, revision string) (m Model, named bool) {
	i := slices.IndexFunc(traffic, func(s Share) bool { return s.Revision == revision })
	if i < 0 {
		return Model{}, false
	}
	return traffic[i].Model, true
}

// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"slices"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/hosts"
)

// builder makes a table from the one before. It begins with all that the one before
// has, and replaces what changes. A route points to its revisions, so the routes that
// name a replaced revision are replaced, too:
//
//	changed service ---> its names in revisions ---+
//	                                               +--> routes
//	changed Pods ------> Endpoints of a revision --+
type builder struct {
	*Table
	before *Table
	routed map[Name]Service             // whose routes are to be replaced
	own    map[Name]*Revision           // the replaced ones: no reader has them yet
	make   func(Service, *route) *route // for tests; nil: route
}

func newBuilder(before *Table) *builder {
	next := *before
	return &builder{Table: &next, before: before, routed: map[Name]Service{}, own: map[Name]*Revision{}}
}

// With returns the table after a change. It carries the counters over, and shares with
// t what did not change. If nothing did, it is t.
func (t *Table) With(c Change) *Table { return newBuilder(t).table(c) }

func (b *builder) table(c Change) *Table {
	for key, s := range c.Services {
		b.service(key, s)
	}
	for key, pods := range c.Pods {
		if !b.has(key, pods) {
			r := b.revision(key)
			r.pods = endpoints(pods, r)
		}
	}
	if len(b.routed)+len(b.own)+len(b.ended) == 0 && b.routes == b.before.routes {
		return b.before
	}
	for len(b.routed) > 0 {
		for key, s := range b.routed {
			delete(b.routed, key)
			b.put(key, s)
		}
	}
	b.drop()
	return b.Table
}

// service changes a service, or removes it.
func (b *builder) service(key Name, s *Service) {
	old, had := b.routes.Get(key)
	switch {
	case s != nil:
		next := s.bounded()
		if had && next.equal(old.service) {
			return
		}
		var was []Share
		if had {
			was = old.service.Traffic
		}
		b.name(key, was, next.Traffic)
		b.routed[key] = next
	case had:
		b.routes = b.routes.Without(key)
		b.hosts = b.hosts.Without(old.claims)
		b.name(key, old.service.Traffic, nil)
		delete(b.routed, key)
		b.account(old, nil)
	}
}

// name changes which revisions a service names, or the model of one of them.
func (b *builder) name(key Name, before, after []Share) {
	for _, s := range before {
		if _, named := modelOf(after, s.Revision); !named {
			r := b.revision(Name{key.Namespace, s.Revision})
			r.services = slices.DeleteFunc(slices.Clone(r.services), func(name string) bool { return name == key.Name })
		}
	}
	for _, s := range after {
		if was, named := modelOf(before, s.Revision); named && was == s.Model {
			continue
		}
		r := b.revision(Name{key.Namespace, s.Revision})
		if i, has := slices.BinarySearch(r.services, key.Name); !has {
			r.services = slices.Concat(r.services[:i], []string{key.Name}, r.services[i:])
		}
	}
}

// revision returns a revision that may be changed: it replaces that of the table.
func (b *builder) revision(key Name) *Revision {
	if r := b.own[key]; r != nil {
		return r
	}
	r := &Revision{Namespace: key.Namespace, Name: key.Name}
	if old := b.Revision(key.Namespace, key.Name); old != nil {
		*r = *old
	} else {
		r.Stats = &RevisionStats{Namespace: key.Namespace, Revision: key.Name}
	}
	b.own[key] = r
	b.revisions = b.revisions.With(key, r)
	for _, service := range r.services {
		id := Name{key.Namespace, service}
		if _, routed := b.routed[id]; routed {
			continue
		}
		if old, ok := b.routes.Get(id); ok {
			b.routed[id] = old.service
		}
	}
	return r
}

// has reports whether the table has a revision with exactly these Pods, or none of both.
func (b *builder) has(key Name, pods []Pod) bool {
	r := b.Revision(key.Namespace, key.Name)
	return r == nil && len(pods) == 0 || r != nil && r.has(pods)
}

// put replaces the route of a service.
func (b *builder) put(key Name, s Service) {
	old, had := b.routes.Get(key)
	r := b.guarded(s, old)
	switch {
	case had && sameClaims(old.service, r.service):
		r.claims = old.claims
	case had:
		b.hosts = b.hosts.Without(old.claims)
		fallthrough
	default:
		r.claims = claims(r.service)
	}
	b.hosts = b.hosts.With(r.claims, r)
	b.routes = b.routes.With(key, r)
	b.account(old, r)
	if r.service.Broken != "" {
		b.name(key, s.Traffic, nil)
	}
}

// account replaces a route among those that are broken.
func (b *builder) account(old, r *route) {
	if old != nil && old.service.Broken != "" {
		b.broken = slices.DeleteFunc(slices.Clone(b.broken), func(s *Service) bool { return s == &old.service })
	}
	if r != nil && r.service.Broken != "" {
		b.broken = append(slices.Clip(b.broken), &r.service)
	}
}

// drop removes the revisions without traffic, Pods and requests.
func (b *builder) drop() {
	b.ended = nil
	look := func(key Name) {
		r := b.Revision(key.Namespace, key.Name)
		switch {
		case r == nil || len(r.services) > 0 || len(r.pods) > 0:
		case r.Stats.busy(): // its load is reported until the last request ends
			b.ended = append(b.ended, key)
		default:
			b.revisions = b.revisions.Without(key)
		}
	}
	for _, key := range b.before.ended {
		if b.own[key] == nil {
			look(key)
		}
	}
	for key, r := range b.own {
		look(key)
		r.hold(b.model(r))
	}
}

// route returns the route of a service.
func (b *builder) route(s Service, old *route) *route {
	r := &route{service: s}
	shares := make([]int, len(s.Traffic))
	for _, share := range s.Traffic {
		revision := b.Revision(s.Namespace, share.Revision)
		r.revisions = append(r.revisions, revision)
		shares[slices.Index(r.revisions, revision)] += share.Percent
	}
	r.split = b.split(s, old, shares)
	if s.Sticky != (v1beta1.Sticky{}) {
		r.candidates = candidates(r.revisions, shares)
	}
	return r
}

// split returns the split of a service: the old one unless the shares changed. Other
// shares begin with a new stratum and with draws that no split of this route had.
func (b *builder) split(s Service, old *route, shares []int) *split {
	if old == nil {
		return newSplit(shares, mix(b.key^hash(s.Namespace+"/"+s.Name+"/"+s.UID)))
	}
	if slices.EqualFunc(s.Traffic, old.service.Traffic, func(a, b Share) bool { return a.Revision == b.Revision && a.Percent == b.Percent }) {
		return old.split
	}
	return newSplit(shares, mix(old.split.key+golden))
}

// claims returns a service as a claimant of names.
func claims(s Service) *hosts.Service {
	out := &hosts.Service{
		Namespace: s.Namespace, Name: s.Name, UID: s.UID, Created: s.Created, HasHost: s.HasHost, HasPredictorHost: s.HasPredictorHost,
	}
	for _, t := range s.Traffic {
		if t.Tag != "" && !t.NoHost {
			out.Tags = append(out.Tags, t.Tag)
		}
	}
	return out
}

// sameClaims reports whether two states of a service claim the same names.
func sameClaims(a, b Service) bool {
	return a.UID == b.UID && a.Created == b.Created && a.HasHost == b.HasHost && a.HasPredictorHost == b.HasPredictorHost &&
		slices.EqualFunc(a.Traffic, b.Traffic, func(a, b Share) bool { return a.Tag == b.Tag && a.NoHost == b.NoHost })
}

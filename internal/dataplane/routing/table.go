// SPDX-License-Identifier: Apache-2.0

// Package routing decides which revision, and which of its Pods, answers a
// request.
//
// Build converts services, their traffic and the ready Pods to an immutable Table.
// Table.Route takes a request's host, path and headers and returns the service and the
// revision. Revision.Endpoint then returns the Pod with the fewest requests in flight.
// The counters (splits, requests in flight, load) are carried from one table to the next,
// so that a new table disturbs neither the split nor the balance. The splits draw from
// generators whose key the caller gives: the same key, the same draws.
//
// The package performs no I/O, takes no lock except those of RevisionStats, reads no
// clock and knows nothing about Kubernetes. The router watches the cluster and calls
// Build after each change.
package routing

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/hosts"
)

// Service is an InferenceService as its status shows it.
type Service struct {
	Namespace string
	Name      string
	UID       string
	Created   int64 // Unix seconds
	// HasHost and HasPredictorHost report whether the status shows the hosts
	// NAME and NAME-predictor as the service's own.
	HasHost, HasPredictorHost bool
	Private                   bool          // only for requests from inside the cluster
	Timeout                   time.Duration // for the start of a response; zero: the router's default
	Sticky                    v1beta1.Sticky
	Traffic                   []Share
	Broken                    string // why the service cannot be routed; empty: it can
}

// Share is a revision's share of a service's traffic.
type Share struct {
	Revision string
	Percent  int
	Tag      string // a name that asks for this revision; empty: none
	NoHost   bool   // the tag has no host, only the header
}

// Pod is a ready Pod of a revision.
type Pod struct {
	Namespace string
	Revision  string
	Addr      string // host:port of its queue

	// Concurrency is the number of slots of its queue; zero: no limit.
	Concurrency int
}

// Input is the input of Build.
type Input struct {
	Domain   string
	Key      uint64 // of the draws of all splits: each router has its own
	Services []Service
	Pods     []Pod
}

// Table maps requests to revisions. It is immutable.
type Table struct {
	domain    string
	hosts     hosts.Table // its services are those of routes
	routes    []*route    // in the order of their services
	revisions map[name]*Revision
	broken    []*Service // those that cannot be routed
}

// name is a namespaced name.
type name struct{ namespace, name string }

// route is a service in a Table.
type route struct {
	service    Service
	revisions  []*Revision          // of the service's traffic
	split      *split               // over revisions; carried from table to table
	candidates []candidate          // for sticky services
	tags       map[string]*Revision // by tag
}

// Build returns the table for in. It carries the counters over from before, which may be
// nil, and reuses its unchanged routes: with thousands of services a change of one must
// be fast.
func Build(in Input, before *Table) *Table {
	if before == nil {
		before = &Table{}
	}
	services := slices.Clone(in.Services)
	slices.SortFunc(services, byName)
	b := &builder{
		Table:  &Table{domain: strings.ToLower(in.Domain), revisions: make(map[name]*Revision, len(before.revisions))},
		before: before,
		pods:   make(map[name][]Pod, len(in.Pods)),
		key:    in.Key,
	}
	b.routes = make([]*route, 0, len(services))
	for _, p := range in.Pods {
		key := name{p.Namespace, p.Revision}
		b.pods[key] = append(b.pods[key], p)
	}
	renamed := len(services) != len(before.routes)
	rest := before.routes
	for _, s := range services {
		for len(rest) > 0 && byName(rest[0].service, s) < 0 {
			rest = rest[1:]
		}
		var old *route
		if len(rest) > 0 && byName(rest[0].service, s) == 0 {
			old = rest[0]
		}
		s = s.bounded()
		renamed = renamed || old == nil || !sameClaims(old.service, s)
		r := b.guarded(s, old)
		if r.service.Broken != "" {
			b.broken = append(b.broken, &r.service)
		}
		b.routes = append(b.routes, r)
	}
	for key := range b.pods {
		b.revision(key)
	}
	for key, r := range before.revisions {
		if r.Stats.busy() { // its load is reported until the last request ends
			b.revision(key)
		}
	}
	b.hosts = before.hosts
	if renamed {
		b.hosts = hosts.Of(claimants(b.routes))
	}
	return b.Table
}

// claimants returns the services of routes as claimants of names.
func claimants(routes []*route) []hosts.Service {
	out := make([]hosts.Service, len(routes))
	for i, r := range routes {
		s := &r.service
		out[i] = hosts.Service{
			Namespace: s.Namespace, Name: s.Name, UID: s.UID, Created: s.Created, HasHost: s.HasHost, HasPredictorHost: s.HasPredictorHost,
		}
		for _, t := range s.Traffic {
			if t.Tag != "" && !t.NoHost {
				out[i].Tags = append(out[i].Tags, t.Tag)
			}
		}
	}
	return out
}

// sameClaims reports whether two states of a service claim the same names.
func sameClaims(a, b Service) bool {
	return a.UID == b.UID && a.Created == b.Created && a.HasHost == b.HasHost && a.HasPredictorHost == b.HasPredictorHost &&
		slices.EqualFunc(a.Traffic, b.Traffic, func(a, b Share) bool { return a.Tag == b.Tag && a.NoHost == b.NoHost })
}

func byName(a, b Service) int {
	return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
}

// builder builds a table.
type builder struct {
	*Table
	before *Table
	pods   map[name][]Pod
	key    uint64
	make   func(Service, *route) *route // for tests; nil: route
}

// revision returns a revision, and adds it first if necessary.
func (b *builder) revision(key name) *Revision {
	if r := b.revisions[key]; r != nil {
		return r
	}
	r := &Revision{Namespace: key.namespace, Name: key.name}
	old := b.before.revisions[key]
	if old != nil {
		r.Stats = old.Stats
	} else {
		r.Stats = &RevisionStats{Namespace: key.namespace, Revision: key.name}
	}
	for _, p := range b.pods[key] {
		r.endpoints = append(r.endpoints, endpoint(p, r.Stats, old))
	}
	b.revisions[key] = r
	return r
}

func newRoute(s Service) *route {
	return &route{service: s, tags: map[string]*Revision{}}
}

// route returns the route of a service: the old one if nothing changed.
func (b *builder) route(s Service, old *route) *route {
	if old != nil && b.keep(s, old) {
		return old
	}
	r := newRoute(s)
	shares := make([]int, len(s.Traffic))
	for _, share := range s.Traffic {
		revision := b.revision(name{s.Namespace, share.Revision})
		if revision.service == nil {
			revision.service = &r.service
		}
		r.revisions = append(r.revisions, revision)
		shares[slices.Index(r.revisions, revision)] += share.Percent
		if share.Tag != "" && r.tags[share.Tag] == nil {
			r.tags[share.Tag] = revision
		}
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

// keep keeps the revisions of the old route if nothing about the service changed, and
// reports whether it did.
func (b *builder) keep(s Service, old *route) bool {
	if !s.equal(old.service) {
		return false
	}
	for _, r := range old.revisions {
		if r.service != &old.service || !r.has(b.pods[name{r.Namespace, r.Name}]) {
			return false
		}
	}
	for _, r := range old.revisions {
		b.revisions[name{r.Namespace, r.Name}] = r
	}
	return true
}

// Revision returns a revision with traffic, Pods or requests, or nil.
func (t *Table) Revision(namespace, revision string) *Revision {
	return t.revisions[name{namespace, revision}]
}

// Revisions calls yield for every revision with traffic, Pods or requests.
func (t *Table) Revisions(yield func(*Revision) bool) {
	for _, r := range t.revisions {
		if !yield(r) {
			return
		}
	}
}

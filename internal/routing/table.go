// SPDX-License-Identifier: Apache-2.0

// Package routing decides which revision, and which of its Pods, answers a
// request.
//
// Build turns services, their traffic and the ready Pods into an immutable
// Table. Table.Route takes a request's host, path and headers and returns the
// service and the revision whose turn it is; Revision.Endpoint then returns the
// Pod with the fewest requests in flight. Counters (turns taken, requests in
// flight, the load of a revision) are carried from one table to the next, so a
// swap disturbs neither the split nor the balance.
//
// The package performs no I/O, takes no lock but that of an Account, reads no
// clock and knows nothing of Kubernetes: whoever watches the cluster calls
// Build again.
package routing

import (
	"cmp"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// Service is one InferenceService as its status shows it.
type Service struct {
	Namespace string
	Name      string
	Timeout   time.Duration // until a response must begin; zero means the router's own
	Sticky    Sticky
	Traffic   []Share
}

// Share is one revision's part of a service's requests.
type Share struct {
	Revision string
	Percent  int
	Tag      string // empty, or the name that asks for this revision alone
}

// Pod is a ready Pod of a revision.
type Pod struct {
	Namespace string
	Revision  string
	Addr      string // host:port of its queue

	// Concurrency is how many requests its queue lets through at once; zero
	// means any number.
	Concurrency int
}

// Input is everything that a Table is made of.
type Input struct {
	Domain   string
	Services []Service
	Pods     []Pod
}

// Table answers which revision a request goes to. It never changes.
type Table struct {
	domain    string
	hosts     map[string]map[string]entry // namespace, then first label of the host
	routes    map[name]*route
	revisions map[name]*Revision
}

// name is a namespaced name.
type name struct{ namespace, name string }

// entry is what one host name stands for: a service, or one tag of it.
type entry struct {
	route *route
	tag   string
}

// route is a service in a Table.
type route struct {
	service Service
	split   []*Revision          // one full round of turns
	lots    []lot                // for what is sticky
	tags    map[string]*Revision // what each tag asks for
	turn    *atomic.Uint64       // carried from table to table
}

// Build returns the table for in. Counters continue from before, which may be
// nil.
func Build(in Input, before *Table) *Table {
	t := &Table{
		domain: strings.ToLower(in.Domain),
		hosts:  map[string]map[string]entry{},
		routes: make(map[name]*route, len(in.Services)),
	}
	if before == nil {
		before = &Table{}
	}
	t.revisions = make(map[name]*Revision, len(before.revisions))
	services := slices.Clone(in.Services)
	slices.SortFunc(services, func(a, b Service) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	for _, p := range in.Pods {
		r := t.revision(p.Namespace, p.Revision, before)
		r.endpoints = append(r.endpoints, endpoint(p, r.Account, before.revisions[name{p.Namespace, p.Revision}]))
	}
	for _, s := range services {
		t.routes[name{s.Namespace, s.Name}] = t.route(s, before)
	}
	for _, r := range before.revisions {
		if r.Account.busy() { // its load is told until the last request ended
			t.revision(r.Namespace, r.Name, before)
		}
	}
	t.nameHosts(services)
	return t
}

// revision finds or makes a revision of the table under construction.
func (t *Table) revision(namespace, revision string, before *Table) *Revision {
	key := name{namespace, revision}
	if r := t.revisions[key]; r != nil {
		return r
	}
	r := &Revision{Namespace: namespace, Name: revision}
	if old := before.revisions[key]; old != nil {
		r.Account = old.Account
	} else {
		r.Account = &Account{Namespace: namespace, Revision: revision}
	}
	t.revisions[key] = r
	return r
}

func (t *Table) route(s Service, before *Table) *route {
	r := &route{service: s, tags: map[string]*Revision{}, turn: new(atomic.Uint64)}
	if old := before.routes[name{s.Namespace, s.Name}]; old != nil {
		r.turn = old.turn
	}
	shares := make([]int, len(s.Traffic))
	revisions := make([]*Revision, len(s.Traffic))
	for i, share := range s.Traffic {
		shares[i] = share.Percent
		revisions[i] = t.revision(s.Namespace, share.Revision, before)
		revisions[i].service = &r.service
		if share.Tag != "" && r.tags[share.Tag] == nil {
			r.tags[share.Tag] = revisions[i]
		}
	}
	for _, i := range turns(shares) {
		r.split = append(r.split, revisions[i])
	}
	if s.Sticky != (Sticky{}) {
		r.lots = lots(r.split)
	}
	return r
}

// nameHosts fills in the host names. Where two services claim one name, the
// more direct claim wins: a service's own name, then its component's name,
// then a tag; among equals the first in alphabetical order.
func (t *Table) nameHosts(services []Service) {
	names := map[string]int{}
	for _, s := range services {
		names[s.Namespace] += 2 + len(s.Traffic)
	}
	for namespace, n := range names {
		t.hosts[namespace] = make(map[string]entry, n) // growing it is a third of the work
	}
	claim := func(s Service, label, tag string) {
		labels := t.hosts[s.Namespace]
		if _, taken := labels[label]; !taken {
			labels[label] = entry{route: t.routes[name{s.Namespace, s.Name}], tag: tag}
		}
	}
	for _, s := range services {
		claim(s, s.Name, "")
	}
	for _, s := range services {
		claim(s, Label("", s.Name), "")
	}
	for _, s := range services {
		for _, share := range s.Traffic {
			if share.Tag != "" {
				claim(s, Label(share.Tag, s.Name), share.Tag)
			}
		}
	}
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

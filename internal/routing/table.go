// SPDX-License-Identifier: Apache-2.0

// Package routing decides which revision, and which of its Pods, answers a
// request.
//
// Build turns services, their traffic and the ready Pods into an immutable
// Table. Table.Route takes a request's host and tag and returns the service
// and the revision whose turn it is; Revision.Endpoint then returns the Pod
// with the fewest requests in flight. Counters (turns taken, requests in
// flight, the load of a revision) are carried from one table to the next, so a
// swap disturbs neither the split nor the balance.
//
// The package performs no I/O, takes no lock but that of an Account, reads no
// clock and knows nothing of Kubernetes: whoever watches the cluster calls
// Build again.
package routing

import (
	"cmp"
	"fmt"
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
	tags    map[string]*Revision // what each tag asks for
	turn    *atomic.Uint64       // carried from table to table
}

// Choice is where a request goes.
type Choice struct {
	Service  *Service
	Revision *Revision
}

// Refusal is an error that the client can act on.
type Refusal struct {
	Status int // 404: nothing has this name; 503: it has nothing to answer with yet
	Text   string
}

func (r *Refusal) Error() string { return r.Text }

// Build returns the table for in. Counters continue from before, which may be
// nil.
func Build(in Input, before *Table) *Table {
	t := &Table{
		domain:    strings.ToLower(in.Domain),
		hosts:     map[string]map[string]entry{},
		routes:    make(map[name]*route, len(in.Services)),
		revisions: map[name]*Revision{},
	}
	if before == nil {
		before = &Table{}
	}
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
	for i, share := range s.Traffic {
		shares[i] = share.Percent
		if share.Tag != "" && r.tags[share.Tag] == nil {
			r.tags[share.Tag] = t.revision(s.Namespace, share.Revision, before)
		}
	}
	for _, i := range turns(shares) {
		r.split = append(r.split, t.revision(s.Namespace, s.Traffic[i].Revision, before))
	}
	return r
}

// nameHosts fills in the host names. Where two services claim one name, the
// more direct claim wins: a service's own name, then its component's name,
// then a tag; among equals the first in alphabetical order.
func (t *Table) nameHosts(services []Service) {
	claim := func(s Service, label, tag string) {
		labels := t.hosts[s.Namespace]
		if labels == nil {
			labels = map[string]entry{}
			t.hosts[s.Namespace] = labels
		}
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

// Route returns who answers a request to host. A tag, if given, asks for one
// revision and overrides a tag in the host; without any the split decides and
// this request takes its turn. Every error is a *Refusal.
func (t *Table) Route(host, tag string) (Choice, error) {
	e, ok := t.match(host)
	if !ok {
		return Choice{}, t.unknownHost(host)
	}
	r := e.route
	if tag == "" {
		tag = e.tag
	}
	if tag != "" {
		if revision := r.tags[tag]; revision != nil {
			return Choice{&r.service, revision}, nil
		}
		return Choice{}, r.unknownTag(tag)
	}
	if len(r.split) == 0 {
		return Choice{}, &Refusal{Status: 503, Text: fmt.Sprintf(
			"InferenceService %s/%s has no ready revision yet", r.service.Namespace, r.service.Name)}
	}
	turn := (r.turn.Add(1) - 1) % uint64(len(r.split))
	return Choice{&r.service, r.split[turn]}, nil
}

// Again returns this table's view of a choice made from an earlier one, so
// that a request that waited keeps its revision. It reports false when the
// service or the revision is gone.
func (t *Table) Again(c Choice) (Choice, bool) {
	r := t.routes[name{c.Service.Namespace, c.Service.Name}]
	revision := t.revisions[name{c.Revision.Namespace, c.Revision.Name}]
	if r == nil || revision == nil {
		return Choice{}, false
	}
	named := func(s Share) bool { return s.Revision == revision.Name }
	return Choice{&r.service, revision}, slices.ContainsFunc(r.service.Traffic, named)
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

func (r *route) unknownTag(tag string) error {
	has := "none"
	if len(r.tags) > 0 {
		names := make([]string, 0, len(r.tags))
		for t := range r.tags {
			names = append(names, t)
		}
		slices.Sort(names)
		has = strings.Join(names, ", ")
	}
	return &Refusal{Status: 404, Text: fmt.Sprintf(
		"InferenceService %s/%s has no traffic tag %q (its tags: %s)", r.service.Namespace, r.service.Name, tag, has)}
}

func (t *Table) unknownHost(host string) error {
	return &Refusal{Status: 404, Text: fmt.Sprintf(
		"no InferenceService for host %q: hosts look like NAME.NAMESPACE.%s or NAME-predictor.NAMESPACE.%s", host, t.domain, t.domain)}
}

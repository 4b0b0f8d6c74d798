// SPDX-License-Identifier: Apache-2.0

// Package routing decides which revision, and which of its Pods, answers a
// request.
//
// Build converts services, their traffic and the ready Pods to an immutable Table, and
// Table.With makes the next one from what changed. Both share all routes but those of
// the changed services, so a change costs what changed (docs/decisions/0026).
// Table.Route takes a request's host, path and headers and returns the service and the
// revision. Revision.Endpoint then returns the Pod with the fewest requests in flight.
// The counters (splits, requests in flight, load) are carried from one table to the next,
// so that a new table disturbs neither the split nor the balance. The splits draw from
// generators whose key the caller gives: the same key, the same draws.
//
// The package performs no I/O, takes no lock except those of RevisionStats, reads no
// clock and knows nothing about Kubernetes. The router watches the cluster and calls
// With for its changes.
package routing

import (
	"strings"
	"time"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/hosts"
	"github.com/serin-dev/serin/internal/trie"
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
	Model    Model  // which all Pods of the revision must serve
}

// Pod is a ready Pod of a revision.
type Pod struct {
	Namespace string
	Revision  string
	Addr      string // host:port of its queue

	// Concurrency is the number of slots of its queue; zero: no limit.
	Concurrency int
	Model       Model // that it serves
}

// Name is a namespaced name, of a service or of a revision.
type Name struct{ Namespace, Name string }

// Input is the input of Build.
type Input struct {
	Domain   string
	Key      uint64 // of the draws of all splits: each router has its own
	Services []Service
	Pods     []Pod
}

// Change is what differs from an earlier table. It may also have what does not differ.
type Change struct {
	Services map[Name]*Service // by name; nil: there is none any more
	Pods     map[Name][]Pod    // by revision: all its ready Pods
}

// Table maps requests to revisions. It is immutable.
type Table struct {
	domain    string
	key       uint64
	hosts     hosts.Table[*route]
	routes    trie.Map[Name, *route]
	revisions trie.Map[Name, *Revision]
	broken    []*Service // those that cannot be routed
	ended     []Name     // the revisions that have requests, and neither traffic nor Pods
}

// route is a service in a Table.
type route struct {
	service    Service
	claims     *hosts.Service // of names; carried from table to table
	revisions  []*Revision    // of each entry of the service's traffic
	split      *split         // over revisions; carried from table to table
	candidates []candidate    // for sticky services
}

// Build returns the table for in.
func Build(in Input) *Table {
	return (&Table{domain: strings.ToLower(in.Domain), key: in.Key}).With(changeTo(in))
}

// changeTo returns the change from an empty table.
func changeTo(in Input) Change {
	c := Change{Services: make(map[Name]*Service, len(in.Services)), Pods: map[Name][]Pod{}}
	for i := range in.Services {
		s := &in.Services[i]
		c.Services[Name{s.Namespace, s.Name}] = s
	}
	for _, p := range in.Pods {
		key := Name{p.Namespace, p.Revision}
		c.Pods[key] = append(c.Pods[key], p)
	}
	return c
}

// Revision returns a revision with traffic, Pods or requests, or nil.
func (t *Table) Revision(namespace, revision string) *Revision {
	r, _ := t.revisions.Get(Name{namespace, revision})
	return r
}

// Revisions calls yield for every revision with traffic, Pods or requests.
func (t *Table) Revisions(yield func(*Revision) bool) {
	for _, r := range t.revisions.All() {
		if !yield(r) {
			return
		}
	}
}

// Namespaces calls yield for the namespace of each service, and so for some of them
// more than once.
func (t *Table) Namespaces(yield func(string) bool) {
	for key := range t.routes.All() {
		if !yield(key.Namespace) {
			return
		}
	}
}

// Broken returns the services that cannot be routed.
func (t *Table) Broken() []*Service { return t.broken }

// SPDX-License-Identifier: Apache-2.0

// Package hosts decides which service has which host name. A service answers at
// its own name, at its predictor's and at its tags', and names can be chosen so
// that two services claim one: a service iris-predictor, and the predictor of a
// service iris. A service keeps a name that its status shows; among equals the
// older service has it.
//
// Routers match requests by these rules, and the controller shows only names
// that a service has, so a name never changes hands while its owner lives.
// Names and predictors are claimed from the moment that the service exists,
// tags only once the status shows their host. The package knows nothing of
// domains, Pods or traffic.
package hosts

import (
	"cmp"
	"slices"
	"strings"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/trie"
)

// Service is the part of an InferenceService that decides about names.
type Service struct {
	Namespace string
	Name      string
	UID       string
	Created   int64 // Unix seconds
	// HasHost and HasPredictorHost report whether the status shows the hosts
	// NAME and NAME-predictor as the service's own.
	HasHost, HasPredictorHost bool
	Tags                      []string // those whose hosts the status shows
}

// claim is one name that a service claims in its namespace.
type claim struct {
	label string
	tag   string
	shown bool // in the service's status
}

// claims calls yield for each name that the service claims.
func (s *Service) claims(yield func(claim) bool) {
	if !yield(claim{s.Name, "", s.HasHost}) || !yield(claim{v1beta1.Predictor.Host("", s.Name), "", s.HasPredictorHost}) {
		return
	}
	for _, tag := range s.Tags {
		if !yield(claim{v1beta1.Predictor.Host(tag, s.Name), tag, true}) {
			return
		}
	}
}

// before orders two claims to one name: the first has it.
func before(a *Service, aShown bool, b *Service, bShown bool) bool {
	if aShown != bShown {
		return aShown
	}
	return cmp.Or(cmp.Compare(a.Created, b.Created), strings.Compare(a.UID, b.UID), strings.Compare(a.Name, b.Name)) < 0
}

// spells reports whether a name that spells the name of the first claim in an
// old way is the first's, where a second service claims it as it is. No status
// shows such a spelling, so it counts less than a name that is shown.
func spells(a *Service, aShown bool, b *Service, bShown bool) bool {
	return !bShown && (a.Created < b.Created || a.Created == b.Created && before(a, aShown, b, bShown))
}

// Shows reports whether a URL of a status shows a host that begins with label.
func Shows(url, label string) bool {
	_, host, _ := strings.Cut(url, "://")
	return strings.HasPrefix(host, label+".")
}

// Owner is the service, or the tag of a service, that has a name.
type Owner[V any] struct {
	Service *Service
	Tag     string
	Value   V // of the service, as the Table was given it
	shown   bool
}

// Table holds the owner of each name. It is immutable: With and Without return a new
// one, and cost as much as the names of one service have claims.
type Table[V any] struct {
	names trie.Map[name, []Owner[V]] // the first has the name, the others are next
}

// name is a label within a namespace.
type name struct{ namespace, label string }

// With returns the Table with the claims of one more service, which must not change any
// more. If the Table has them already, it gets the new value.
func (t Table[V]) With(s *Service, value V) Table[V] {
	for c := range s.claims {
		key := name{s.Namespace, c.label}
		old, _ := t.names.Get(key)
		owners := make([]Owner[V], 0, len(old)+1)
		i := 0
		for _, o := range old {
			if o.Service == s && o.Tag == c.tag {
				continue
			}
			if owners = append(owners, o); !before(s, c.shown, o.Service, o.shown) {
				i = len(owners)
			}
		}
		t.names = t.names.With(key, slices.Insert(owners, i, Owner[V]{s, c.tag, value, c.shown}))
	}
	return t
}

// Without returns the Table without the claims of a service that it was made with.
func (t Table[V]) Without(s *Service) Table[V] {
	for c := range s.claims {
		key := name{s.Namespace, c.label}
		owners, _ := t.names.Get(key)
		owners = slices.DeleteFunc(slices.Clone(owners), func(o Owner[V]) bool { return o.Service == s })
		if len(owners) > 0 {
			t.names = t.names.With(key, owners)
		} else {
			t.names = t.names.Without(key)
		}
	}
	return t
}

// find returns the owner of a name as it is claimed, or nil.
func (t Table[V]) find(namespace, label string) *Owner[V] {
	owners, ok := t.names.Get(name{namespace, v1beta1.ShortLabel(label)})
	if !ok {
		return nil
	}
	return &owners[0]
}

// Find returns the owner of a name in a namespace, or nil. Besides the names that
// services claim, two old spellings of the component are understood, a trailing
// hyphen and `-predictor-default`, and names that a client did not shorten. A
// service that is called like such a spelling has it only if it was there first.
func (t Table[V]) Find(namespace, label string) *Owner[V] {
	o := t.find(namespace, label)
	for _, suffix := range [...]string{"-", "-default"} {
		if plain, spelled := strings.CutSuffix(label, suffix); spelled && strings.HasSuffix(plain, "-"+string(v1beta1.Predictor)) {
			if old := t.find(namespace, plain); old != nil && (o == nil || spells(old.Service, old.shown, o.Service, o.shown)) {
				return old
			}
		}
	}
	return o
}

// Tags are all tags that the controller gives, and so all that a service may want
// a host for.
var Tags = []string{v1beta1.TagLatest, v1beta1.TagPrev}

// Wanted returns the names that a service claims or may want to.
func Wanted(service string) []string {
	out := []string{service, v1beta1.Predictor.Host("", service)}
	for _, tag := range Tags {
		out = append(out, v1beta1.Predictor.Host(tag, service))
	}
	return out
}

// Related returns the names by which a service that wants this one is found,
// among those that Wanted returns for it: itself, and what it spells.
func Related(label string) []string {
	out := []string{label}
	if plain, ok := strings.CutSuffix(label, "-"+string(v1beta1.Predictor)+"-default"); ok {
		out = append(out, plain+"-"+string(v1beta1.Predictor))
	}
	return out
}

// Taken returns which of the names that a service wants belong to others: the
// name of each such service by the label. Services of other namespaces and the
// service itself among the others do not matter.
func Taken(s Service, others []Service) map[string]string {
	t := Table[struct{}]{}.With(&s, struct{}{})
	for i := range others {
		if o := &others[i]; o.Namespace == s.Namespace && o.Name != s.Name {
			t = t.With(o, struct{}{})
		}
	}
	taken := map[string]string{}
	for _, label := range Wanted(s.Name) {
		if o := t.Find(s.Namespace, label); o != nil && o.Service != &s {
			taken[label] = o.Service.Name
		}
	}
	return taken
}

// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"cmp"
	"slices"
	"strings"
)

// A service answers at its own name, at its predictor's and at its tags', and
// names can be chosen so that two services claim one: a service iris-predictor,
// and the predictor of a service iris. Who shows a name in its status keeps it;
// among equals the older service has it. All of that is the same for every
// router and for the controller, which shows only names that a service has, so
// a name never changes hands while its owner lives.
//
// Names and predictors are claimed from the moment that the service exists,
// tags only once the status shows their host.

// claim is one name that a service claims in its namespace.
type claim struct {
	label string
	tag   string
	shown bool // in the service's status
}

// claims calls yield for each name that the service claims.
func (s *Service) claims(yield func(claim) bool) {
	if !yield(claim{s.Name, "", s.HasHost}) || !yield(claim{Label("", s.Name), "", s.HasPredictorHost}) {
		return
	}
	for i := range s.Traffic {
		if t := &s.Traffic[i]; t.Tag != "" && !t.NoHost && !yield(claim{Label(t.Tag, s.Name), t.Tag, true}) {
			return
		}
	}
}

// sameClaims reports whether two states of a service claim the same.
func sameClaims(a, b Service) bool {
	return a.UID == b.UID && a.Created == b.Created && a.HasHost == b.HasHost && a.HasPredictorHost == b.HasPredictorHost &&
		slices.EqualFunc(a.Traffic, b.Traffic, func(a, b Share) bool { return a.Tag == b.Tag && a.NoHost == b.NoHost })
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

// entry is what one host name stands for: a service, or one tag of it.
type entry struct {
	route int // its place in Table.routes
	tag   string
	shown bool
}

// names are what the names of each namespace stand for, by namespace and label.
type names struct {
	services []*Service // by entry.route
	labels   map[string]map[string]entry
}

// namesOf returns who has which name. The order of the services does not matter.
func namesOf(services []*Service) names {
	return names{services, labelsOf(services)}
}

func labelsOf(services []*Service) map[string]map[string]entry {
	sizes := map[string]int{}
	for _, s := range services {
		sizes[s.Namespace] += 2 + len(s.Traffic)
	}
	all := make(map[string]map[string]entry, len(sizes))
	for namespace, size := range sizes {
		all[namespace] = make(map[string]entry, size) // growing it is a third of the work
	}
	for i, s := range services {
		labels := all[s.Namespace]
		for c := range s.claims {
			old, taken := labels[c.label]
			if !taken || before(s, c.shown, services[old.route], old.shown) {
				labels[c.label] = entry{i, c.tag, c.shown}
			}
		}
	}
	return all
}

// find returns what a name stands for in a namespace. Besides the names that
// services claim, two old spellings of the component are understood, a trailing
// hyphen and `-predictor-default`, and names that a client did not shorten. A
// service that is called like such a spelling has it only if it was there first.
func (n names) find(namespace, label string) (entry, bool) {
	labels := n.labels[namespace]
	e, ok := labels[shorten(label)]
	for _, suffix := range [...]string{"-", "-default"} {
		if plain, spelled := strings.CutSuffix(label, suffix); spelled && strings.HasSuffix(plain, "-"+predictor) {
			if old, has := labels[shorten(plain)]; has && (!ok || spells(n.services[old.route], old.shown, n.services[e.route], e.shown)) {
				return old, true
			}
		}
	}
	return e, ok
}

// Tags are those that the controller gives. They are all that a service may
// want a host for.
var Tags = []string{"latest", "prev"}

// Wanted returns the names that a service claims or may want to.
func Wanted(service string) []string {
	out := []string{service, Label("", service)}
	for _, tag := range Tags {
		out = append(out, Label(tag, service))
	}
	return out
}

// Related returns the names by which a service that wants this one is found,
// among those that Wanted returns for it: itself, and what it spells.
func Related(label string) []string {
	out := []string{label}
	if plain, ok := strings.CutSuffix(label, "-"+predictor+"-default"); ok {
		out = append(out, plain+"-"+predictor)
	}
	return out
}

// Taken returns which of the names that a service wants belong to others: the
// name of each such service by the label. Services of other namespaces and the
// service itself among the others do not matter.
func Taken(s Service, others []Service) map[string]string {
	all := []*Service{&s}
	for i := range others {
		if o := &others[i]; o.Namespace == s.Namespace && o.Name != s.Name {
			all = append(all, o)
		}
	}
	n := namesOf(all)
	taken := map[string]string{}
	for _, label := range Wanted(s.Name) {
		if e, ok := n.find(s.Namespace, label); ok && e.route != 0 {
			taken[label] = n.services[e.route].Name
		}
	}
	return taken
}

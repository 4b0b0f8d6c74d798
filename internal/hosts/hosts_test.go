// SPDX-License-Identifier: Apache-2.0

package hosts

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/serin-dev/serin/api/v1beta1"
)

func TestWhoHasAName(t *testing.T) {
	for _, c := range []struct {
		name     string
		services []Service
		host     string
		want     string
	}{
		{"the older service's predictor", []Service{{Name: "a", Created: 1}, {Name: "a-predictor", Created: 2}}, "a-predictor", "a#"},
		{"the older service's own name", []Service{{Name: "a", Created: 2}, {Name: "a-predictor", Created: 1}}, "a-predictor", "a-predictor#"},
		{"the older service's tag", []Service{{Name: "a", Created: 1, Tags: []string{"prev"}}, {Name: "prev-a", Created: 2}}, "prev-a-predictor", "a#prev"},
		{"a tag without a host", []Service{{Name: "a", Created: 1}, {Name: "prev-a", Created: 2}}, "prev-a-predictor", "prev-a#"},
		{"the status shows it", []Service{{Name: "a", Created: 1}, {Name: "a-predictor", Created: 2, HasHost: true}}, "a-predictor", "a-predictor#"},
		{"both show it", []Service{{Name: "a", Created: 1, HasPredictorHost: true}, {Name: "a-predictor", Created: 2, HasHost: true}}, "a-predictor", "a#"},
		{"of one second the lower UID", []Service{{Name: "a", UID: "2"}, {Name: "a-predictor", UID: "1"}}, "a-predictor", "a-predictor#"},
		{"an old spelling of the older", []Service{{Name: "a", Created: 1}, {Name: "a-predictor-default", Created: 2}}, "a-predictor-default", "a#"},
		{"an old spelling of the younger", []Service{{Name: "a", Created: 2}, {Name: "a-predictor-default", Created: 1}}, "a-predictor-default", "a-predictor-default#"},
		{"another namespace", []Service{{Name: "a", Created: 1, Namespace: "m"}, {Name: "a-predictor", Created: 2}}, "a-predictor", "a-predictor#"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for i := range c.services {
				if s := &c.services[i]; s.Namespace == "" {
					s.Namespace = "n"
				}
			}
			for range 2 {
				if got := owner(of(c.services), c.host); got != c.want {
					t.Errorf("%s is %s, want %s", c.host, got, c.want)
				}
				slices.Reverse(c.services)
			}
		})
	}
}

// of returns the table of these services.
func of(services []Service) Table[int] {
	var t Table[int]
	for i := range services {
		t = t.With(&services[i], i)
	}
	return t
}

// owner is the service and the tag that have a name in the namespace n.
func owner(table Table[int], label string) string {
	o := table.Find("n", label)
	if o == nil {
		return ""
	}
	return o.Service.Name + "#" + o.Tag
}

// namesake are names that claim each other's, in all ways that there are.
var namesake = []string{
	"iris", "iris-predictor", "iris-predictor-predictor", "iris-predictor-default", "iris-predictor-default-predictor",
	"latest-iris", "latest-iris-predictor", "prev-iris", "prev-iris-predictor", "prev-iris-predictor-default", "prev-prev-iris",
	strings.Repeat("x", 53), "prev-" + strings.Repeat("x", 48), "y" + strings.Repeat("-", 51) + "z",
	v1beta1.Predictor.Host("latest", "y"+strings.Repeat("-", 51)+"z"), // short enough to be a service's name
}

// addresses are all that anybody might call.
var addresses = func() []string {
	var out []string
	for _, s := range namesake {
		for _, label := range append(Wanted(s), "latest-"+s+"-predictor", "prev-"+s+"-predictor") {
			out = append(out, label, label+"-", label+"-default")
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}()

// world is a namespace with services, as controllers and time change them.
type world struct {
	services map[string]*member
	clock    int64
	uid      int
}

type member struct {
	Service
	ready bool
	tags  map[string]bool
}

func (w *world) step(t *rapid.T) {
	name := rapid.SampledFrom(namesake).Draw(t, "service")
	m := w.services[name]
	if m == nil {
		w.clock += int64(rapid.IntRange(0, 1).Draw(t, "seconds"))
		w.services[name] = &member{
			Service: Service{Namespace: "n", Name: name, Created: w.clock, UID: fmt.Sprint(rapid.IntRange(0, 9).Draw(t, "uid"), w.uid)},
			tags:    map[string]bool{},
		}
		w.uid++
		return
	}
	switch what := rapid.SampledFrom([]string{"ready", "ready", "stop", "delete", "latest", "prev"}).Draw(t, "what"); what {
	case "delete":
		delete(w.services, name)
	case "ready", "stop":
		m.ready = what == "ready"
	default:
		m.tags[what] = !m.tags[what]
	}
}

// list is the services in any order.
func (w *world) list() []Service {
	var out []Service
	for _, m := range w.services {
		out = append(out, m.Service)
	}
	rand.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	return out
}

// control does what the controller does with each status, one after the other.
func (w *world) control() {
	for _, name := range slices.Sorted(maps.Keys(w.services)) {
		m := w.services[name]
		taken := Taken(m.Service, w.list())
		mine := func(label string) bool { return m.ready && taken[label] == "" }
		m.HasHost, m.HasPredictorHost = mine(name), mine(v1beta1.Predictor.Host("", name))
		m.Tags = nil
		for _, tag := range Tags {
			if m.ready && m.tags[tag] && mine(v1beta1.Predictor.Host(tag, name)) {
				m.Tags = append(m.Tags, tag)
			}
		}
	}
}

// owners is who answers at each address.
func owners(table Table[int]) map[string]string {
	out := map[string]string{}
	for _, a := range addresses {
		if o := owner(table, a); o != "" {
			out[a] = o
		}
	}
	return out
}

// In any set of services an address has one owner, the same for every router in
// whatever order it heard of them, and its owner keeps it.
func TestAddressesHaveOneOwner(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{services: map[string]*member{}}
		had := map[string]string{}
		shown := map[string]bool{} // whose owner's status shows it
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			w.step(t)
			for range 2 { // before the controller knows of it, and after
				router := of(w.list())
				has := owners(router)
				if diff := cmp.Diff(owners(of(w.list())), has); diff != "" {
					t.Fatalf("two routers disagree: %s", diff)
				}
				for address, owner := range had {
					name, tag, _ := strings.Cut(owner, "#")
					m := w.services[name]
					lives := m != nil && (tag == "" || m.ready && m.tags[tag])
					if !lives || !shown[address] || has[address] == owner {
						continue
					}
					next, _, _ := strings.Cut(has[address], "#")
					if m.ready || w.services[next].Created > m.Created { // a stopped service shows nothing
						t.Fatalf("%s went from %s to %s", address, owner, has[address])
					}
				}
				had, shown = has, map[string]bool{}
				for address := range has {
					shown[address] = router.Find("n", address).shown
				}
				w.control()
			}
			table := of(w.list())
			for _, m := range w.services {
				for c := range m.claims {
					if o := table.Find("n", c.label); c.shown && o.Service.Name != m.Name {
						t.Fatalf("%s shows %s, which is %s's", m.Name, c.label, o.Service.Name)
					}
				}
			}
		}
	})
}

// A table made by changes has the owners of a table made anew, and their latest values.
func TestChangesOfServicesGiveTheSameOwners(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{services: map[string]*member{}}
		var table Table[int]
		claimants := map[string]*Service{}
		values := map[string]int{}
		for i := range rapid.IntRange(1, 25).Draw(t, "steps") {
			w.step(t)
			if rapid.Bool().Draw(t, "control") {
				w.control()
			}
			for _, name := range namesake {
				old, m := claimants[name], w.services[name]
				if m != nil && old != nil && cmp.Equal(*old, m.Service) {
					values[name] = i
					table = table.With(old, i)
					continue
				}
				if old != nil {
					table = table.Without(old)
					delete(claimants, name)
				}
				if m != nil {
					s := m.Service
					claimants[name], values[name] = &s, i
					table = table.With(&s, i)
				}
			}
			if diff := cmp.Diff(owners(of(w.list())), owners(table)); diff != "" {
				t.Fatal(diff)
			}
			for _, a := range addresses {
				if o := table.Find("n", a); o != nil && o.Value != values[o.Service.Name] {
					t.Fatalf("%s is %s with the value %d, want %d", a, o.Service.Name, o.Value, values[o.Service.Name])
				}
			}
		}
		for _, s := range claimants {
			table = table.Without(s)
		}
		if n := table.names.Len(); n != 0 {
			t.Fatalf("without services, %d names are claimed", n)
		}
	})
}

// Whoever contends for a name is found by the names that it may want.
func TestContendersAreRelated(t *testing.T) {
	for _, a := range namesake {
		for _, b := range namesake {
			if a == b {
				continue
			}
			newcomer := Service{Namespace: "n", Name: a, Created: 2, Tags: Tags}
			other := Service{Namespace: "n", Name: b, Created: 1, Tags: Tags}
			for label := range Taken(newcomer, []Service{other}) {
				found := slices.ContainsFunc(Related(label), func(l string) bool { return slices.Contains(Wanted(b), l) })
				if !found {
					t.Errorf("%s takes %s from %s, and is not found by %v", b, label, a, Related(label))
				}
			}
		}
	}
}

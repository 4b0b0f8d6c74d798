// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/serin-dev/serin/api/v1beta1"
)

// rebuild returns the table after the change from before, which may be nil, to all of in.
func rebuild(before *Table, in Input) *Table {
	if before == nil {
		return Build(in)
	}
	c := changeTo(in)
	for key := range before.routes.All() {
		if _, stays := c.Services[key]; !stays {
			c.Services[key] = nil
		}
	}
	for key := range before.revisions.All() {
		if _, stays := c.Pods[key]; !stays {
			c.Pods[key] = nil
		}
	}
	return before.With(c)
}

// names are services of which many want names of each other, and all others that a
// client may ask for.
var (
	names     = []string{"a", "a-predictor", "latest-a", "prev-a-predictor", "b"}
	addresses = func() []string {
		out := []string{"a-predictor-", "a-predictor-default", "none"}
		for _, n := range names {
			for _, tag := range []string{"", "latest", "prev"} {
				out = append(out, n, v1beta1.Predictor.Host(tag, n))
			}
		}
		return out
	}()
)

// show describes a table in full, but for its counters.
func show(table *Table) map[string]string {
	out := map[string]string{"domain": table.domain, "sizes": fmt.Sprint(table.routes.Len(), " ", table.revisions.Len(), " ", len(table.broken))}
	for _, address := range addresses {
		for _, inside := range []bool{false, true} {
			if r, tag := table.match(address+".n", inside); r != nil {
				out[fmt.Sprint("host ", address, inside)] = r.service.Name + "#" + tag
				if current, _ := table.routes.Get(Name{"n", r.service.Name}); current != r {
					out[fmt.Sprint("host ", address, inside)] += " stale"
				}
			}
		}
	}
	for key, r := range table.routes.All() {
		text := fmt.Sprintf("%+v", r.service)
		for _, revision := range r.revisions {
			if text += " " + revision.Name; table.Revision("n", revision.Name) != revision {
				text += " stale"
			}
		}
		text += fmt.Sprint(" ", r.split.first, r.split.last, r.split.strata, r.split.round)
		for _, c := range r.candidates {
			if text += fmt.Sprint(" ", c.revision.Name, c.weight); table.Revision("n", c.revision.Name) != c.revision {
				text += " stale"
			}
		}
		out["service "+key.Name] = text
		if r.service.Broken != "" && !slices.Contains(table.Broken(), &r.service) {
			out["service "+key.Name] += " not among the broken"
		}
	}
	for r := range table.Revisions {
		var addrs []string
		shown := r.endpoints
		if len(r.services) == 0 {
			shown = r.pods // which of them get requests is as it was when a service named it
		}
		for _, e := range shown {
			addrs = append(addrs, e.Addr)
		}
		slices.Sort(addrs)
		again, ok := table.Rebind(Choice{Revision: r})
		out["revision "+r.Name] = fmt.Sprint(addrs, r.services, ok)
		if ok {
			out["revision "+r.Name] += " of " + again.Service.Name
		}
	}
	return out
}

// step is one change: of a service, or of the Pods of a revision, or of both at once.
func step(t *rapid.T, in *Input, history int) Change {
	c := Change{Services: map[Name]*Service{}, Pods: map[Name][]Pod{}}
	revisions := []string{"r-1", "r-2", "r-3", "r-4"} // services may name each other's
	for range rapid.IntRange(0, 2).Draw(t, "services") {
		s := Service{
			Namespace: "n", Name: rapid.SampledFrom(names).Draw(t, "service"), UID: fmt.Sprint(rapid.IntRange(0, 1).Draw(t, "uid")),
			Created: int64(rapid.IntRange(0, 2).Draw(t, "created")), HasHost: rapid.Bool().Draw(t, "host"), HasPredictorHost: rapid.Bool().Draw(t, "predictor"),
			Private: rapid.IntRange(0, 3).Draw(t, "private") == 0,
		}
		if rapid.IntRange(0, 3).Draw(t, "sticky") == 0 {
			s.Sticky.Header = "X-User"
		}
		if rapid.IntRange(0, 5).Draw(t, "broken") == 0 {
			s.Broken = "it meets a bug"
		}
		for range rapid.IntRange(0, 3).Draw(t, "shares") {
			s.Traffic = append(s.Traffic, Share{
				Revision: rapid.SampledFrom(revisions).Draw(t, "revision"), Percent: rapid.SampledFrom([]int{0, 10, 90, 100, 1000}).Draw(t, "percent"),
				Tag: rapid.SampledFrom([]string{"", "latest", "prev"}).Draw(t, "tag"), NoHost: rapid.Bool().Draw(t, "without a host"),
				Model: Model{byte(rapid.IntRange(0, 2).Draw(t, "model"))},
			})
		}
		key := Name{s.Namespace, s.Name}
		in.Services = slices.DeleteFunc(in.Services, func(o Service) bool { return o.Name == s.Name })
		if c.Services[key] = nil; rapid.IntRange(0, 3).Draw(t, "delete") > 0 {
			c.Services[key] = &s
			in.Services = append(in.Services, s)
		}
	}
	for range rapid.IntRange(0, 2).Draw(t, "pods") {
		key := Name{"n", rapid.SampledFrom(revisions).Draw(t, "of revision")}
		c.Pods[key] = nil
		for i := range rapid.IntRange(0, 2).Draw(t, "number") {
			c.Pods[key] = append(c.Pods[key], Pod{Namespace: "n", Revision: key.Name, Addr: fmt.Sprint(key.Name, ":", i+history%2), Model: Model{byte(rapid.IntRange(0, 2).Draw(t, "of model"))}})
		}
		in.Pods = slices.DeleteFunc(in.Pods, func(p Pod) bool { return p.Revision == key.Name })
		in.Pods = append(in.Pods, c.Pods[key]...)
	}
	return c
}

// A table made by changes is the table built from nothing, and the one before stays as
// it was. Counters are carried over, and a change to what is there already is none.
func TestIncrementalBuildEqualsFullBuild(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := Input{Domain: "example.com"}
		table := Build(in)
		for history := range rapid.IntRange(1, 15).Draw(t, "changes") {
			before := show(table)
			next := table.With(step(t, &in, history))
			if diff := cmp.Diff(show(Build(in)), show(next)); diff != "" {
				t.Fatal(diff)
			}
			if diff := cmp.Diff(before, show(table)); diff != "" {
				t.Fatalf("the table before changed: %s", diff)
			}
			for r := range next.Revisions {
				if old := table.Revision(r.Namespace, r.Name); old != nil && old.Stats != r.Stats {
					t.Fatalf("%s lost its counters", r.Name)
				}
				for _, e := range r.endpoints {
					if e.Stats != r.Stats {
						t.Fatalf("%s has other counters than its revision", e.Addr)
					}
				}
			}
			if again := rebuild(next, in); len(next.broken) == 0 && again != next {
				t.Fatal("nothing changed, and there is another table")
			}
			table = next
		}
	})
}

// many is a table of services with two revisions of one Pod each.
func many(services int) (*Table, []Service) {
	in := Input{Domain: "example.com"}
	for i := range services {
		s := iris()
		s.Name = fmt.Sprintf("iris-%d", i)
		for j := range s.Traffic {
			s.Traffic[j].Revision = fmt.Sprintf("%s-predictor-%05d", s.Name, j+1)
			in.Pods = append(in.Pods, Pod{Namespace: s.Namespace, Revision: s.Traffic[j].Revision, Addr: fmt.Sprint(i, ":", j)})
		}
		in.Services = append(in.Services, s)
	}
	return Build(in), in.Services
}

// changes are what happens to one service of many: other shares, a Pod more, a Pod less,
// the service's end and its beginning.
var changes = []struct {
	name   string
	change func(i int, s Service) Change
	routes int // that are replaced
}{
	{"other shares", func(i int, s Service) Change {
		s.Traffic = slices.Clone(s.Traffic)
		s.Traffic[0].Percent, s.Traffic[1].Percent = i%50, 100-i%50
		return Change{Services: map[Name]*Service{{s.Namespace, s.Name}: &s}}
	}, 1},
	{"other Pods", func(i int, s Service) Change {
		p := Pod{Addr: fmt.Sprint("again:", i)}
		return Change{Pods: map[Name][]Pod{{s.Namespace, s.Traffic[0].Revision}: {p}}}
	}, 1},
	{"another tag", func(i int, s Service) Change {
		s.Traffic = slices.Clone(s.Traffic)
		s.Traffic[0].Tag = fmt.Sprint("t", i)
		return Change{Services: map[Name]*Service{{s.Namespace, s.Name}: &s}}
	}, 1},
	{"its end", func(_ int, s Service) Change {
		return Change{Services: map[Name]*Service{{s.Namespace, s.Name}: nil}}
	}, 0},
	{"nothing", func(_ int, s Service) Change {
		return Change{Services: map[Name]*Service{{s.Namespace, s.Name}: &s}}
	}, 0},
}

// What one change replaces and allocates is the same among 50 services and 5,000.
func TestChangeCostsWhatChanged(t *testing.T) {
	few, services := many(50)
	lots, _ := many(5000)
	for _, c := range changes {
		t.Run(c.name, func(t *testing.T) {
			next := lots.With(c.change(7, services[7]))
			replaced := 0
			for key, r := range next.routes.All() {
				if old, _ := lots.routes.Get(key); old != r {
					replaced++
				}
			}
			if replaced != c.routes {
				t.Errorf("%d routes are replaced, want %d", replaced, c.routes)
			}
			spent := func(table *Table) (allocations float64, bytes uint64) {
				i := 0
				change := func() { table.With(c.change(i, services[i%50])); i++ }
				allocations = testing.AllocsPerRun(200, change)
				return allocations, allocated(func() {
					for range 200 {
						change()
					}
				}) / 200
			}
			allocationsOfFew, bytesOfFew := spent(few)
			allocationsOfLots, bytesOfLots := spent(lots)
			t.Logf("among 50: %v allocations of %d bytes; among 5,000: %v of %d", allocationsOfFew, bytesOfFew, allocationsOfLots, bytesOfLots)
			// A hundred times the services make the trie less than two levels deeper.
			if allocationsOfLots > 2*allocationsOfFew+10 || bytesOfLots > 4*bytesOfFew+2000 {
				t.Errorf("a change among 5,000 services costs %v allocations of %d bytes, among 50 %v of %d", allocationsOfLots, bytesOfLots, allocationsOfFew, bytesOfFew)
			}
		})
	}
}

func BenchmarkChangeAmong5000Services(b *testing.B) {
	table, services := many(5000)
	for _, c := range changes {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				table.With(c.change(i, services[i*7%5000]))
				i++
			}
		})
	}
}

func BenchmarkBuild5000Services(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		many(5000)
	}
}

func BenchmarkRouteAmong5000Services(b *testing.B) {
	table, services := many(5000)
	var requests []Request
	for _, s := range services {
		requests = append(requests, ask(s.Name+".kserve-test.example.com", "/"))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := table.Route(requests[i]); err != nil {
			b.Fatal(err)
		}
		i = (i + 7) % 5000
	}
}

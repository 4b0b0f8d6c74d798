// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/api/v1beta1"
)

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A hostile status costs its own service some shares, and no other service memory or
// time.
func TestTableOfAnySharesIsBounded(t *testing.T) {
	good := iris()
	for name, c := range map[string]struct {
		traffic []Share
		want    map[string]int // of a hundred requests
	}{
		"the sum of all memory": {[]Share{{Revision: "a", Percent: 4611686018427387904}}, map[string]int{"a": 100}},
		"an overflow":           {[]Share{{Revision: "a", Percent: math.MaxInt}, {Revision: "b", Percent: math.MaxInt}}, map[string]int{"a": 50, "b": 50}},
		"less than nothing":     {[]Share{{Revision: "a", Percent: math.MinInt}, {Revision: "b", Percent: 100}}, map[string]int{"b": 100}},
		"nothing but nothing":   {[]Share{{Revision: "a", Percent: -1}}, nil},
		"more than there is":    {[]Share{{Revision: "a", Percent: 300}, {Revision: "b", Percent: 100}}, map[string]int{"a": 50, "b": 50}},
		"a thousand revisions":  {slices.Repeat([]Share{{Revision: "a", Percent: 99}, {Revision: "b", Percent: 99}}, 500), map[string]int{"a": 50, "b": 50}},
	} {
		t.Run(name, func(t *testing.T) {
			hostile := Service{Namespace: "other", Name: "hostile", Traffic: c.traffic, Sticky: v1beta1.Sticky{Header: "X-User"}}
			var table *Table
			if spent := allocated(func() { table = Build(Input{Domain: "example.com", Services: []Service{good, hostile}}) }); spent > 200_000 {
				t.Errorf("%d bytes for two services", spent)
			}
			got := map[string]int{}
			for range 100 {
				if c, err := table.Route(ask("hostile.other.example.com", "/")); err == nil {
					got[c.Revision.Name]++
				}
			}
			if diff := cmp.Diff(c.want, got); diff != "" && len(c.want)+len(got) > 0 {
				t.Errorf("hostile: %s", diff)
			}
			if c := choose(t, table, host, ""); c.Revision.Name == "" {
				t.Error("the other service does not answer")
			}
			if again := rebuild(table, Input{Domain: "example.com", Services: []Service{good, hostile}}); again != table {
				t.Error("what did not change is made again")
			}
		})
	}
}

func TestConcurrencyOfPodIsBounded(t *testing.T) {
	for _, n := range []int{math.MinInt, -1, math.MaxInt} {
		e := endpoint(Pod{Concurrency: n}, &Revision{})
		if e.capacity < 0 || e.capacity > dispatchedPerSlot*maxConcurrency {
			t.Errorf("a concurrency of %d has a capacity of %d", n, e.capacity)
		}
	}
}

func TestPanicBreaksOnlyOneService(t *testing.T) {
	services := []Service{{Namespace: "n", Name: "a", Traffic: []Share{{Revision: "a-1", Percent: 100}}}, {Namespace: "n", Name: "b", Traffic: []Share{{Revision: "b-1", Percent: 100}}}}
	for i := range services {
		services[i].Timeout = time.Second
	}
	b := newBuilder(&Table{})
	b.make = func(s Service, old *route) *route {
		if s.Name == "a" {
			panic("index out of range")
		}
		return b.route(s, old)
	}
	pods := map[Name][]Pod{{"n", "a-1"}: {{Addr: "a:1"}}, {"n", "b-1"}: {{Addr: "b:1"}}}
	table := b.table(Change{Services: map[Name]*Service{{"n", "a"}: &services[0], {"n", "b"}: &services[1]}, Pods: pods})
	if got := table.Broken(); len(got) != 1 || got[0].Broken != "its data meets a bug: index out of range" || got[0].Traffic != nil {
		t.Errorf("broken are %+v", got)
	}
	if r := table.Revision("n", "a-1"); r == nil || len(r.services) != 0 || r.Ready() != 1 {
		t.Errorf("the revision of the service that meets a bug is %+v", r)
	}
	if c, err := table.Route(ask("b.n", "/")); err != nil || c.Revision.Name != "b-1" {
		t.Errorf("the other service answers %v, %v", c, err)
	}
	services[0].Broken = "its status is a number"
	table = Build(Input{Domain: "example.com", Services: services})
	if got := table.Broken(); len(got) != 1 || got[0].Name != "a" {
		t.Errorf("broken are %+v", got)
	}
	_, err := table.Route(ask("a.n.example.com", "/"))
	if err == nil || err.Error() != "InferenceService n/a cannot be routed: the router's log says why" {
		t.Errorf("the broken service answers %v", err)
	}
	if c, err := table.Route(ask("b.n.example.com", "/")); err != nil || c.Revision.Name != "b-1" {
		t.Errorf("the other service answers %v, %v", c, err)
	}
	services[0].Broken = ""
	if c, err := rebuild(table, Input{Domain: "example.com", Services: services}).Route(ask("a.n.example.com", "/")); err != nil || c.Revision.Name != "a-1" {
		t.Errorf("mended, it answers %v, %v", c, err)
	}
	percent := int64(1 << 40)
	if err := Check("n", "a", []v1beta1.TrafficTarget{{RevisionName: "a-1", Percent: &percent}, {}}); err != nil {
		t.Error(err)
	}
}

// For requests from outside a private service does not exist, by any name.
func TestPrivateServiceHasNoRouteFromOutside(t *testing.T) {
	private := iris()
	table := Build(Input{Domain: "example.com", Services: []Service{private}})
	type call struct{ host, path, tag string }
	var calls []call
	for _, label := range []string{"sklearn-iris", "sklearn-iris-predictor", "sklearn-iris-predictor-", "sklearn-iris-predictor-default", "prev-sklearn-iris-predictor", "latest-sklearn-iris-predictor-default"} {
		for _, suffix := range []string{"", ".example.com", ".svc", ".svc.cluster.local", ".localhost", ".svc.cluster.local.:80"} {
			calls = append(calls, call{label + ".kserve-test" + suffix, "/v1/models", ""}, call{strings.ToUpper(label) + ".kserve-test" + suffix, "/", "prev"})
		}
		calls = append(calls, call{"localhost", "/serving/kserve-test/" + label + "/v1/models", ""}, call{"example.com", "/serving/kserve-test/" + label, "latest"})
	}
	public := table
	private.Private = true
	table = rebuild(public, Input{Domain: "example.com", Services: []Service{private}})
	nobody := Build(Input{Domain: "example.com"})
	for _, c := range calls {
		request := ask(c.host, c.path, v1beta1.HeaderTag, c.tag)
		if _, err := public.Route(request); err != nil {
			t.Errorf("%+v: public, it answers %v", c, err)
		}
		_, got := table.Route(request)
		_, want := nobody.Route(request)
		if got == nil || got.Error() != want.Error() {
			t.Errorf("%+v: private, it answers %v, want %v", c, got, want)
		}
		request.Inside = true
		if _, err := table.Route(request); err != nil {
			t.Errorf("%+v: from inside it answers %v", c, err)
		}
	}
}

func TestDomainWithClusterSuffix(t *testing.T) {
	table := Build(Input{Domain: "cluster.local", Services: []Service{iris()}})
	for _, host := range []string{"sklearn-iris.kserve-test.svc.cluster.local", "sklearn-iris.kserve-test.cluster.local"} {
		if r, _ := table.match(host, false); r == nil {
			t.Errorf("%s names nothing", host)
		}
	}
}

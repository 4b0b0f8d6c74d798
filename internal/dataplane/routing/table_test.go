// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/serin-dev/serin/api/v1beta1"
)

const host = "sklearn-iris.kserve-test.example.com"

func pods(revision string, addrs ...string) []Pod {
	var out []Pod
	for _, a := range addrs {
		out = append(out, Pod{Namespace: "kserve-test", Revision: revision, Addr: a})
	}
	return out
}

// ask is a request with headers given by name and value in turn.
func ask(host, path string, headers ...string) Request {
	return Request{Host: host, Path: path, Header: func(name string) string {
		for i := 0; i+1 < len(headers); i += 2 {
			if headers[i] == name {
				return headers[i+1]
			}
		}
		return ""
	}}
}

func choose(t *testing.T, table *Table, host, tag string) Choice {
	t.Helper()
	c, err := table.Route(ask(host, "/", v1beta1.HeaderTag, tag))
	if err != nil {
		t.Fatalf("route %s: %v", host, err)
	}
	return c
}

func TestRoute(t *testing.T) {
	empty := Service{Namespace: "kserve-test", Name: "new"}
	long := Service{Namespace: "kserve-test", Name: strings.Repeat("long-", 11) + "name", Traffic: []Share{{Revision: "long-1", Percent: 100, Tag: "latest"}}}
	in := Input{Domain: "example.com", Services: []Service{iris(), empty, long}}
	const (
		v1, v3 = "sklearn-iris-predictor-00001", "sklearn-iris-predictor-00003"
		byPath = "/serving/kserve-test/sklearn-iris"
		help   = ": hosts look like NAME.NAMESPACE.example.com or NAME-predictor.NAMESPACE.example.com, or on any other host the path like /serving/NAMESPACE/NAME/..."
	)
	for _, c := range []struct {
		name, host, path, tag string
		want                  string
	}{
		{"the split decides", host, "/", "", v1},
		{"a tag in the host", "latest-sklearn-iris-predictor.kserve-test.example.com", "/", "", v3},
		{"a tag in the header", host, "/", "latest", v3},
		{"the header beats the host", "latest-sklearn-iris-predictor.kserve-test.example.com", "/", "prev", v1},
		{"an unknown tag", host, "/", "canary", `404 InferenceService kserve-test/sklearn-iris has no traffic tag "canary" (its tags: latest, prev)`},
		{"a service without tags", "new.kserve-test.example.com", "/", "prev", `404 InferenceService kserve-test/new has no traffic tag "prev" (its tags: none)`},
		{"a service without traffic", "new.kserve-test.example.com", "/", "", "503 InferenceService kserve-test/new has no ready revision yet"},
		{"an unknown host", "nobody.example.com", "/", "", `404 no InferenceService for host "nobody.example.com"` + help},
		{"a long name as it is", long.Name + "-predictor.kserve-test.example.com", "/", "", "long-1"},
		{"a long name with a tag", "latest-" + long.Name + "-predictor-.kserve-test.example.com", "/", "", "long-1"},

		{"a path", "localhost:8080", byPath + "/v1/models/iris:predict", "", v1 + " /v1/models/iris:predict"},
		{"a path on an address", "127.0.0.1", byPath + "/", "", v1 + " /"},
		{"a path on the bare domain", "example.com", byPath, "", v1 + " /"},
		{"a path on a host of no service", "nobody.kserve-test.example.com", byPath, "", v1 + " /"},
		{"a path without a host", "", byPath, "", v1 + " /"},
		{"a path with a query and escapes", "[::1]:80", byPath + "/a%2Fb//c?d=%20&e", "", v1 + " /a%2Fb//c?d=%20&e"},
		{"a query without a path", "localhost", byPath + "?a=/b", "", v1 + " /?a=/b"},
		{"a path and a tag in the header", "localhost", byPath + "/v2", "latest", v3 + " /v2"},
		{"a path with a tag in the name", "localhost", "/serving/kserve-test/latest-sklearn-iris-predictor/v2", "", v3 + " /v2"},
		{"a host's paths are its own", host, "/serving/kserve-test/new/v2", "prev", v1},

		{"a version", host, "/v2/models/iris/versions/" + v3 + "/infer", "", v3},
		{"a version with a query", host, "/v2/models/iris/versions/" + v3 + "?q", "", v3},
		{"a version by path", "localhost", byPath + "/v2/models/iris/versions/" + v3 + "/ready", "", v3 + " /v2/models/iris/versions/" + v3 + "/ready"},
		{"a version and a tag", host, "/v2/models/iris/versions/" + v3, "prev", v1},
		{"a version of the model server", host, "/v2/models/iris/versions/1/infer", "", v1},
		{"no version", host, "/v2/models/iris/versions/", "", v1},
		{"a version elsewhere", host, "/v1/models/iris/versions/" + v3, "", v1},
		{"a path that names nobody", "localhost", "/serving/kserve-test/nobody/v2", "", `404 no InferenceService kserve-test/nobody, which the path asks for, nor any for host "localhost"`},
		{"an escaped name", "localhost", "/serving/kserve-test/sklearn%2Diris/", "", `404 no InferenceService kserve-test/sklearn%2Diris, which the path asks for, nor any for host "localhost"`},
		{"half a path", "localhost", "/serving/kserve-test", "", `404 no InferenceService for host "localhost"` + help},
		{"a path with an empty namespace", "localhost", "/serving//sklearn-iris/", "", `404 no InferenceService for host "localhost"` + help},
		{"a path with more in front", "localhost", "/a" + byPath, "", `404 no InferenceService for host "localhost"` + help},
	} {
		t.Run(c.name, func(t *testing.T) {
			choice, err := Build(in).Route(ask(c.host, c.path, v1beta1.HeaderTag, c.tag))
			got := ""
			if refusal := (*Refusal)(nil); errors.As(err, &refusal) {
				got = fmt.Sprintf("%d %s", refusal.Status, refusal.Text)
			} else {
				got = strings.TrimSpace(choice.Revision.Name + " " + choice.Path)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestConcurrentRequestsSplitExactly(t *testing.T) {
	table := Build(Input{Domain: "example.com", Services: []Service{iris()}})
	var mu sync.Mutex
	got := map[string]int{}
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for range 100 {
				c, err := table.Route(ask(host, "/"))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				got[c.Revision.Name]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	want := map[string]int{"sklearn-iris-predictor-00003": 100, "sklearn-iris-predictor-00001": 900}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestNewTableKeepsSplitAndCounters(t *testing.T) {
	in := Input{Domain: "example.com", Services: []Service{iris()}, Pods: pods("sklearn-iris-predictor-00001", "a:1")}
	table := Build(in)
	got := map[string]int{}
	for range 100 {
		got[choose(t, table, host, "").Revision.Name]++
		table = rebuild(table, in)
	}
	want := map[string]int{"sklearn-iris-predictor-00003": 10, "sklearn-iris-predictor-00001": 90}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	e := choose(t, table, host, "prev").Revision.Endpoint(time.Now())
	e.Begin()
	in.Pods = pods("sklearn-iris-predictor-00001", "b:1", "a:1")
	in.Services = nil // a revision without traffic still counts
	table = rebuild(table, in)
	in.Services = []Service{iris()}
	revision := choose(t, rebuild(table, in), host, "prev").Revision
	for range 10 {
		if next := revision.Endpoint(time.Now()); next.Addr != "b:1" {
			t.Fatalf("the Pod with a request in flight was chosen over an idle one")
		}
	}
	e.End()
}

func TestRebindKeepsRevisionOfWaitingRequest(t *testing.T) {
	in := Input{Domain: "example.com", Services: []Service{iris()}}
	table := Build(in)
	held := choose(t, table, host, "latest")
	in.Pods = pods("sklearn-iris-predictor-00003", "a:1")
	if c, ok := rebuild(table, in).Rebind(held); !ok || c.Revision.Name != held.Revision.Name || c.Revision.Ready() != 1 {
		t.Errorf("Again = %+v, %v", c, ok)
	}
	in.Services[0].Traffic = []Share{{Revision: "sklearn-iris-predictor-00001", Percent: 100}}
	if c, ok := rebuild(table, in).Rebind(held); ok {
		t.Errorf("the revision has no traffic any more, Again = %+v", c)
	}
	if c, ok := rebuild(table, Input{}).Rebind(held); ok {
		t.Errorf("the service is gone, Again = %+v", c)
	}
}

func TestEndpoint(t *testing.T) {
	now := time.Unix(1000, 0)
	in := Input{Domain: "example.com", Services: []Service{iris()}, Pods: pods("sklearn-iris-predictor-00001", "a:1", "b:1", "c:1")}
	r := choose(t, Build(in), host, "prev").Revision
	seen := map[string]*Endpoint{}
	for range 3 {
		e := r.Endpoint(now)
		seen[e.Addr] = e
	}
	if len(seen) != 3 {
		t.Fatalf("idle Pods do not take turns: %v", seen)
	}
	a, b, c := seen["a:1"], seen["b:1"], seen["c:1"]
	b.Begin()
	c.Begin()
	a.Avoid(now.Add(time.Second))
	for _, step := range []struct {
		name string
		now  time.Time
		want []*Endpoint
	}{
		{"an avoided Pod comes last", now, []*Endpoint{b, c}},
		{"and is forgiven", now.Add(time.Second), []*Endpoint{a}},
	} {
		if got := r.Endpoint(step.now); !slices.Contains(step.want, got) {
			t.Errorf("%s: got %v", step.name, got)
		}
	}
	b.Avoid(now.Add(time.Second))
	c.Avoid(now.Add(time.Second))
	if got := r.Endpoint(now); got != a {
		t.Errorf("with all Pods to be avoided the idle one is best, got %v", got)
	}
	if e := choose(t, Build(in), host, "latest").Revision.Endpoint(now); e != nil {
		t.Errorf("a revision without Pods has %v", e)
	}
}

func TestEndpointCapacityIsTwoPerSlot(t *testing.T) {
	now := time.Unix(1000, 0)
	in := Input{Domain: "example.com", Services: []Service{iris()}, Pods: []Pod{
		{Namespace: "kserve-test", Revision: "sklearn-iris-predictor-00001", Addr: "a:1", Concurrency: 2},
		{Namespace: "kserve-test", Revision: "sklearn-iris-predictor-00001", Addr: "b:1", Concurrency: 2},
		{Namespace: "kserve-test", Revision: "sklearn-iris-predictor-00003", Addr: "c:1"},
	}}
	table := Build(in)
	limited, unlimited := choose(t, table, host, "prev").Revision, choose(t, table, host, "latest").Revision
	got := map[string]int{}
	for range 100 {
		for _, r := range []*Revision{limited, unlimited} {
			if e := r.EndpointWithCapacity(now); e != nil {
				e.Begin()
				got[e.Addr]++
			}
		}
	}
	if diff := cmp.Diff(map[string]int{"a:1": 4, "b:1": 4, "c:1": 100}, got); diff != "" {
		t.Error(diff)
	}
	e := unlimited.EndpointWithCapacity(now)
	e.Avoid(now.Add(time.Second))
	if unlimited.EndpointWithCapacity(now) != nil || unlimited.EndpointWithCapacity(now.Add(time.Second)) != e {
		t.Error("a Pod to be avoided has room only when it need not be avoided any more")
	}
}

// Between two swaps any run of requests is less than two off its share (one at
// each end of the run), and exact at 0 and 100.
func TestSplitIsExactBetweenNewTables(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table *Table
		service := iris()
		for range rapid.IntRange(1, 20).Draw(t, "swaps") {
			c := rapid.SampledFrom([]int{0, 1, 10, 50, 99, 100}).Draw(t, "canary")
			service.Traffic[0].Percent, service.Traffic[1].Percent = c, 100-c
			table = rebuild(table, Input{Domain: "example.com", Services: []Service{{
				Namespace: service.Namespace, Name: service.Name, Traffic: slices.Clone(service.Traffic),
			}}})
			n := rapid.IntRange(0, 250).Draw(t, "requests")
			canary := 0
			for range n {
				choice, err := table.Route(ask(host, "/"))
				if err != nil {
					t.Fatal(err)
				}
				if choice.Revision.Name == service.Traffic[0].Revision {
					canary++
				}
			}
			if want := n * c; canary*100 <= want-200 || canary*100 >= want+200 || (c == 0 && canary > 0) || (c == 100 && canary < n) {
				t.Fatalf("%d of %d requests went to a canary at %d%%", canary, n, c)
			}
		}
	})
}

func BenchmarkRoute(b *testing.B) {
	table := Build(Input{Domain: "example.com", Services: []Service{iris()}, Pods: pods("sklearn-iris-predictor-00001", "a:1")})
	request := ask(host, "/")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := table.Route(request); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRouteInParallel(b *testing.B) {
	table := Build(Input{Domain: "example.com", Services: []Service{iris()}})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		request := ask(host, "/")
		for pb.Next() {
			if _, err := table.Route(request); err != nil {
				b.Fatal(err)
			}
		}
	})
}

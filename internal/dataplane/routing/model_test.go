// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestPodsOfAnotherModelGetNoRequests(t *testing.T) {
	a, b := ParseModel("sha256:"+strings.Repeat("a", 64)), ParseModel("sha256:"+strings.Repeat("b", 64))
	if a == b || a == (Model{}) || ParseModel("sha256:aa") != (Model{}) {
		t.Fatalf("the models are %v and %v", a, b)
	}
	service := func(model Model) Service {
		return Service{Namespace: "n", Name: "iris", HasHost: true, Traffic: []Share{{Revision: "r", Percent: 100, Model: model}}}
	}
	pods := []Pod{{"n", "r", "of-a", 0, a}, {"n", "r", "of-b", 0, b}, {"n", "r", "unknown", 0, Model{}}}
	answering := func(table *Table) string {
		var all []string
		r := table.Revision("n", "r")
		for range len(pods) {
			e := r.Endpoint(time.Time{})
			e.Begin()
			defer e.End()
			all = append(all, e.Addr)
		}
		out := ""
		for _, addr := range []string{"of-a", "of-b", "unknown"} {
			if slices.Contains(all, addr) {
				out += addr + " "
			}
		}
		return out
	}
	table := Build(Input{Domain: "example.com", Services: []Service{service(Model{})}, Pods: pods})
	for _, c := range []struct {
		model Model
		want  string
	}{{Model{}, "of-a of-b unknown "}, {a, "of-a unknown "}, {b, "of-b unknown "}, {Model{}, "of-a of-b unknown "}} {
		s := service(c.model)
		table = table.With(Change{Services: map[Name]*Service{{"n", "iris"}: &s}})
		if got := answering(table); got != c.want {
			t.Errorf("with model %v answer %s, want %s", c.model, got, c.want)
		}
	}
	// A Pod at the address of another one that had another model.
	s := service(a)
	table = table.With(Change{Services: map[Name]*Service{{"n", "iris"}: &s}, Pods: map[Name][]Pod{{"n", "r"}: {{"n", "r", "of-a", 0, b}, {"n", "r", "of-b", 0, a}}}})
	if got := answering(table); got != "of-b " {
		t.Errorf("after they changed places answer %s", got)
	}
	// A request in flight may be sent on to another Pod after the traffic has moved away.
	table = table.With(Change{Services: map[Name]*Service{{"n", "iris"}: nil}})
	if got := answering(table); got != "of-b " {
		t.Errorf("without traffic answer %s", got)
	}
}

// SPDX-License-Identifier: Apache-2.0

package router

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Requests of any services come and leave in any order. They never exceed the
// capacity. An owner with less than its share is never refused. A victim never has
// less than the owner that it is evicted for. No request is evicted while there is
// capacity. A single owner gets all of it but the reserve.
func TestWaitQueueIsMaxMinFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		capacity := rapid.IntRange(1, 60).Draw(t, "capacity")
		r := occupancy{capacity: capacity, reserve: rapid.IntRange(0, capacity/2).Draw(t, "reserve")}
		namespaces, services := rapid.IntRange(1, 8).Draw(t, "namespaces"), rapid.IntRange(1, 5).Draw(t, "services")
		var waiting []owner
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			if len(waiting) > 0 && rapid.IntRange(0, 3).Draw(t, "leaves") == 0 {
				i := rapid.IntRange(0, len(waiting)-1).Draw(t, "who")
				r.remove(waiting[i])
				waiting = append(waiting[:i], waiting[i+1:]...)
				continue
			}
			// Low numbers come more often, as greedy owners do.
			n := rapid.IntRange(0, rapid.IntRange(0, namespaces-1).Draw(t, "up to")).Draw(t, "namespace")
			o := owner{fmt.Sprint(n), fmt.Sprint(rapid.IntRange(0, services-1).Draw(t, "service"))}
			waiting = arrive(t, &r, waiting, o)
		}
		for _, o := range waiting {
			r.remove(o)
		}
		if r.n != 0 || len(r.namespaces) != 0 {
			t.Fatalf("an empty queue counts %+v", r)
		}
	})
}

// arrive adds a request and checks which one is evicted.
func arrive(t *rapid.T, r *occupancy, waiting []owner, o owner) []owner {
	waiting = append(waiting, o)
	r.add(o)
	ns, service, perNamespace, perService := tally(waiting, o)
	who, must := r.victim(o)
	free := r.capacity - r.reserve
	below := ns*len(perNamespace) <= free || service*len(perService)*len(perNamespace) <= free
	switch {
	case must && who == o && below:
		t.Fatalf("%v is refused with %d of %d and %d of %d", o, service, len(perService), ns, len(perNamespace))
	case must && who != o && len(waiting) <= r.capacity:
		t.Fatalf("%v is evicted although there is capacity", who)
	case must && who == o && len(waiting) <= free, must && who == o && ns == len(waiting) && service == ns && ns <= free:
		t.Fatalf("%v is refused although there is capacity", o)
	case !must && len(waiting) > r.capacity:
		t.Fatalf("%d wait with a capacity of %d", len(waiting), r.capacity)
	case !must:
		return waiting
	}
	if who.namespace != o.namespace && perNamespace[who.namespace] <= ns {
		t.Fatalf("%v, with %d, is evicted for %v, with %d", who, perNamespace[who.namespace], o, ns)
	}
	if who.namespace == o.namespace && who != o && perService[who.service] <= service {
		t.Fatalf("%v, with %d, is evicted for %v, with %d", who, perService[who.service], o, service)
	}
	for i, w := range slices.Backward(waiting) {
		if w == who {
			r.remove(who)
			return append(waiting[:i], waiting[i+1:]...)
		}
	}
	t.Fatalf("%v is the victim, and does not wait", who)
	return nil
}

// tally counts the waiting requests by namespace, and by service of o's namespace.
func tally(waiting []owner, o owner) (ns, service int, perNamespace, perService map[string]int) {
	perNamespace, perService = map[string]int{}, map[string]int{}
	for _, w := range waiting {
		perNamespace[w.namespace]++
		if w.namespace == o.namespace {
			perService[w.service]++
		}
	}
	return perNamespace[o.namespace], perService[o.service], perNamespace, perService
}

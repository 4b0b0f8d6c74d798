// SPDX-License-Identifier: Apache-2.0

package router

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// Requests of any services come and leave in any order. There are never more
// than there are places; whoever has less than its share gets one; whoever gives
// one up has no less than who gets it; nobody gives one up while there are some;
// and who is alone gets all that are not reserved.
func TestTheRoomIsSharedFairly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		places := rapid.IntRange(1, 60).Draw(t, "places")
		r := room{places: places, reserve: rapid.IntRange(0, places/2).Draw(t, "reserve")}
		namespaces, services := rapid.IntRange(1, 8).Draw(t, "namespaces"), rapid.IntRange(1, 5).Draw(t, "services")
		var waiting []owner
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			if len(waiting) > 0 && rapid.IntRange(0, 3).Draw(t, "leaves") == 0 {
				i := rapid.IntRange(0, len(waiting)-1).Draw(t, "who")
				r.remove(waiting[i])
				waiting = append(waiting[:i], waiting[i+1:]...)
				continue
			}
			// Low numbers come more often: there are greedy ones.
			n := rapid.IntRange(0, rapid.IntRange(0, namespaces-1).Draw(t, "up to")).Draw(t, "namespace")
			o := owner{fmt.Sprint(n), fmt.Sprint(rapid.IntRange(0, services-1).Draw(t, "service"))}
			waiting = arrive(t, &r, waiting, o)
		}
		for _, o := range waiting {
			r.remove(o)
		}
		if r.n != 0 || len(r.namespaces) != 0 {
			t.Fatalf("an empty room counts %+v", r)
		}
	})
}

// arrive lets a request come and checks what becomes of it.
func arrive(t *rapid.T, r *room, waiting []owner, o owner) []owner {
	waiting = append(waiting, o)
	r.add(o)
	ns, service, perNamespace, perService := tally(waiting, o)
	who, must := r.yields(o)
	free := r.places - r.reserve
	below := ns*len(perNamespace) <= free || service*len(perService)*len(perNamespace) <= free
	switch {
	case must && who == o && below:
		t.Fatalf("%v is refused with %d of %d and %d of %d", o, service, len(perService), ns, len(perNamespace))
	case must && who != o && len(waiting) <= r.places:
		t.Fatalf("%v leaves although there are places", who)
	case must && who == o && len(waiting) <= free, must && who == o && ns == len(waiting) && service == ns && ns <= free:
		t.Fatalf("%v is refused although there are places", o)
	case !must && len(waiting) > r.places:
		t.Fatalf("%d wait in %d places", len(waiting), r.places)
	case !must:
		return waiting
	}
	if who.namespace != o.namespace && perNamespace[who.namespace] <= ns {
		t.Fatalf("%v, with %d, leaves for %v, with %d", who, perNamespace[who.namespace], o, ns)
	}
	if who.namespace == o.namespace && who != o && perService[who.service] <= service {
		t.Fatalf("%v, with %d, leaves for %v, with %d", who, perService[who.service], o, service)
	}
	for i, w := range slices.Backward(waiting) {
		if w == who {
			r.remove(who)
			return append(waiting[:i], waiting[i+1:]...)
		}
	}
	t.Fatalf("%v is to leave, and does not wait", who)
	return nil
}

// tally counts those that wait beside one of o, by namespace, and by service of
// its namespace.
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

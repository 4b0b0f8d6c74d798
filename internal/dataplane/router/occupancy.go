// SPDX-License-Identifier: Apache-2.0

package router

// owner is the service that a waiting request is for.
type owner struct{ namespace, service string }

// occupancy counts the waiting requests by namespace and service, and chooses which
// one to evict when there are too many. It is max-min fair
// (https://en.wikipedia.org/wiki/Max-min_fairness), first between namespaces and
// then between the services of one: the newest request of the owner with the most
// is evicted for a request of an owner with fewer. Only a request that may evict
// another uses the reserve, so that evictions are rare.
//
// With k namespaces waiting, a namespace always gets its share, a k-th of the
// capacity without the reserve, and a service always gets its share of that. A
// single service gets all of it.
type occupancy struct {
	capacity, reserve int
	n                 int
	namespaces        map[string]*namespaceCount
}

// namespaceCount counts the waiting requests of a namespace.
type namespaceCount struct {
	n        int
	services map[string]int
}

func (oc *occupancy) add(o owner) {
	c := oc.namespaces[o.namespace]
	if c == nil {
		if oc.namespaces == nil {
			oc.namespaces = map[string]*namespaceCount{}
		}
		c = &namespaceCount{services: map[string]int{}}
		oc.namespaces[o.namespace] = c
	}
	oc.n++
	c.n++
	c.services[o.service]++
}

func (oc *occupancy) remove(o owner) {
	c := oc.namespaces[o.namespace]
	oc.n--
	c.n--
	if c.services[o.service]--; c.services[o.service] == 0 {
		delete(c.services, o.service)
	}
	if c.n == 0 {
		delete(oc.namespaces, o.namespace)
	}
}

// victim returns the owner whose newest request must be evicted, if any, after a
// request of o was added.
func (oc *occupancy) victim(o owner) (victim owner, must bool) {
	if oc.n <= oc.capacity-oc.reserve {
		return owner{}, false
	}
	victim.namespace = largest(oc.namespaces, func(c *namespaceCount) int { return c.n }, o.namespace)
	preferred := ""
	if victim.namespace == o.namespace {
		preferred = o.service
	}
	victim.service = largest(oc.namespaces[victim.namespace].services, func(n int) int { return n }, preferred)
	if oc.n <= oc.capacity && (victim != o || oc.namespaces[o.namespace].n == 1) {
		return owner{}, false
	}
	return victim, true
}

// largest returns the name with the largest size. Among equals it returns the
// preferred one, or else the first in the alphabet.
func largest[T any](of map[string]T, size func(T) int, preferred string) string {
	best, most := "", 0
	for name, c := range of {
		n := size(c)
		if n > most || (n == most && best != preferred && (name == preferred || name < best)) {
			best, most = name, n
		}
	}
	return best
}

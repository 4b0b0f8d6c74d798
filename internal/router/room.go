// SPDX-License-Identifier: Apache-2.0

package router

// owner is the service that a waiting request is for.
type owner struct{ namespace, service string }

// room counts the requests that wait, by namespace and service, and decides who
// gives up a place when there are too many. It is max-min fair, first between
// namespaces and then between the services of one: the newest request of
// whoever has the most leaves for one of whoever has fewer. The last places, the
// reserve, are only for those who may take a place from others, so that mostly
// nobody has to leave.
//
// With k namespaces waiting, a namespace gets every place up to its share, a
// k-th of those outside the reserve, and a service every place up to its share
// of that. Who waits alone gets all of them.
type room struct {
	places, reserve int
	n               int
	namespaces      map[string]*crowd
}

// crowd counts the requests of a namespace that wait.
type crowd struct {
	n        int
	services map[string]int
}

func (r *room) add(o owner) {
	c := r.namespaces[o.namespace]
	if c == nil {
		if r.namespaces == nil {
			r.namespaces = map[string]*crowd{}
		}
		c = &crowd{services: map[string]int{}}
		r.namespaces[o.namespace] = c
	}
	r.n++
	c.n++
	c.services[o.service]++
}

func (r *room) remove(o owner) {
	c := r.namespaces[o.namespace]
	r.n--
	c.n--
	if c.services[o.service]--; c.services[o.service] == 0 {
		delete(c.services, o.service)
	}
	if c.n == 0 {
		delete(r.namespaces, o.namespace)
	}
}

// yields says whose newest request must leave, if any, now that one of o was
// added.
func (r *room) yields(o owner) (who owner, must bool) {
	if r.n <= r.places-r.reserve {
		return owner{}, false
	}
	who.namespace = largest(r.namespaces, func(c *crowd) int { return c.n }, o.namespace)
	mine := ""
	if who.namespace == o.namespace {
		mine = o.service
	}
	who.service = largest(r.namespaces[who.namespace].services, func(n int) int { return n }, mine)
	if r.n <= r.places && (who != o || r.namespaces[o.namespace].n == 1) {
		return owner{}, false
	}
	return who, true
}

// largest returns the name of whoever has the most: mine among equals, if there
// is such a name, and else the first.
func largest[T any](of map[string]T, size func(T) int, mine string) string {
	best, most := "", 0
	for name, c := range of {
		n := size(c)
		if n > most || (n == most && best != mine && (name == mine || name < best)) {
			best, most = name, n
		}
	}
	return best
}

// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"fmt"
	"slices"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Bounds of what is believed of a service. The API's schema has them too, but
// not for what was stored before it, and not for other writers of the cache.
//
// maxConcurrency is as good as no limit.
const maxConcurrency = 1 << 20

// bounded is the service with shares that a table can be made of. It costs
// nothing where there is nothing to mend.
func (s Service) bounded() Service {
	if len(s.Traffic) > v1beta1.MaxShares {
		s.Traffic = s.Traffic[:v1beta1.MaxShares]
	}
	if slices.ContainsFunc(s.Traffic, func(t Share) bool { return t.Percent != percent(t.Percent) }) {
		s.Traffic = slices.Clone(s.Traffic)
		for i := range s.Traffic {
			s.Traffic[i].Percent = percent(s.Traffic[i].Percent)
		}
	}
	s.Timeout = max(s.Timeout, 0)
	return s
}

func percent(n int) int { return min(max(n, 0), 100) }

// guarded makes the route of a service. Where that meets a bug, this service has
// no route, and all others have theirs.
func (b *builder) guarded(s Service, old *route) (r *route) {
	defer func() {
		if p := recover(); p != nil {
			s.Broken = fmt.Sprintf("its data meets a bug: %v", p)
			r = broken(s)
		}
	}()
	if s.Broken != "" {
		return broken(s)
	}
	if b.make != nil {
		return b.make(s, old)
	}
	return b.route(s, old)
}

// broken is the route of a service that cannot be routed. It keeps its names.
func broken(s Service) *route {
	s.Traffic = nil
	return newRoute(s)
}

// Broken returns the services of which no request is answered, and why.
func (t *Table) Broken() []*Service { return t.broken }

// equal reports whether a route of one is a route of the other.
func (s Service) equal(o Service) bool {
	return s.Private == o.Private && s.Timeout == o.Timeout && s.Sticky == o.Sticky && s.Broken == o.Broken &&
		slices.Equal(s.Traffic, o.Traffic) && sameClaims(s, o)
}

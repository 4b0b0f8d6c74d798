// SPDX-License-Identifier: Apache-2.0

package routing

import (
	"fmt"
	"slices"

	"github.com/serin-dev/serin/api/v1beta1"
)

// maxConcurrency bounds the concurrency of a Pod. It is as good as no limit.
const maxConcurrency = 1 << 20

// bounded returns the service with its shares and timeout within bounds. The API's
// schema has these bounds, too, but not for objects that were stored before it. bounded
// allocates only if a value is out of bounds.
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

// guarded returns the route of a service. If that panics, only this service has no
// route.
func (b *builder) guarded(s Service, old *route) (r *route) {
	defer func() {
		if p := recover(); p != nil {
			s.Broken = fmt.Sprintf("its data meets a bug: %v", p)
			r = b.brokenRoute(s, old)
		}
	}()
	if s.Broken != "" {
		return b.brokenRoute(s, old)
	}
	if b.make != nil {
		return b.make(s, old)
	}
	return b.route(s, old)
}

// brokenRoute returns the route of a service that cannot be routed. It keeps its hosts.
func (b *builder) brokenRoute(s Service, old *route) *route {
	s.Traffic = nil
	return &route{service: s, split: b.split(s, old, nil)}
}

// Check returns why a service with this traffic could not be routed. It runs the
// routers' own code.
func Check(namespace, name string, traffic []v1beta1.TrafficTarget) error {
	s := Service{Namespace: namespace, Name: name}
	for _, t := range traffic {
		share := Share{Revision: t.RevisionName, Tag: t.Tag}
		if t.Percent != nil {
			share.Percent = int(*t.Percent)
		}
		s.Traffic = append(s.Traffic, share)
	}
	if broken := Build(Input{Services: []Service{s}}).Broken(); len(broken) > 0 {
		return fmt.Errorf("InferenceService %s/%s cannot be routed: %s", namespace, name, broken[0].Broken)
	}
	return nil
}

// equal reports whether both services have the same route.
func (s Service) equal(o Service) bool {
	return s.Private == o.Private && s.Timeout == o.Timeout && s.Sticky == o.Sticky && s.Broken == o.Broken &&
		slices.Equal(s.Traffic, o.Traffic) && sameClaims(s, o)
}

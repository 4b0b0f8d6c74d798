// SPDX-License-Identifier: Apache-2.0

package node

import (
	"cmp"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// eagerPause is the shortest pause between two probes.
const eagerPause = 10 * time.Millisecond

// judgement is the outcome of a series of probe results.
type judgement int

const (
	undecided judgement = iota
	healthy
	unhealthy
)

// probing counts the results of one probe. An eager probe, for startup and readiness, runs more
// often than its period until the first success, so that a container counts as ready at once and
// not up to a period later. The pause between two probes is a tenth of the time since the start,
// which bounds both the delay and the number of probes. Failures between the regular probes do not
// count.
type probing struct {
	period    time.Duration
	successes int32 // needed in a row
	failures  int32
	eager     bool

	begun     time.Time
	next      time.Time // when the next regular probe is due
	succeeded int32
	failed    int32
}

func newProbing(p *corev1.Probe, eager bool, now time.Time) *probing {
	return &probing{
		period:    time.Duration(cmp.Or(p.PeriodSeconds, 10)) * time.Second,
		successes: cmp.Or(p.SuccessThreshold, 1),
		failures:  cmp.Or(p.FailureThreshold, 3),
		eager:     eager, begun: now, next: now,
	}
}

// first returns the pause before the first probe. A liveness probe waits a period, so that the
// program can start.
func (p *probing) first() time.Duration {
	if p.eager {
		return 0
	}
	return p.period
}

// observe counts a result. counted is false for a failure between regular probes.
func (p *probing) observe(ok bool, now time.Time) (j judgement, counted bool) {
	counted = ok || !now.Before(p.next)
	if counted {
		p.next = now.Add(p.period)
	}
	if ok {
		p.eager, p.failed = false, 0
		p.succeeded++
	} else if counted {
		p.succeeded = 0
		p.failed++
	}
	switch {
	case p.succeeded >= p.successes:
		return healthy, counted
	case p.failed >= p.failures:
		return unhealthy, counted
	}
	return undecided, counted
}

// pause returns how long to wait before the next probe.
func (p *probing) pause(now time.Time) time.Duration {
	regular := max(p.next.Sub(now), 0)
	if !p.eager {
		return regular
	}
	return min(max(now.Sub(p.begun)/10, eagerPause), max(regular, eagerPause))
}

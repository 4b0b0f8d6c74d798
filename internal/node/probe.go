// SPDX-License-Identifier: Apache-2.0

package node

import (
	"cmp"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// eagerPause is the shortest pause between two probes.
const eagerPause = 10 * time.Millisecond

// judgement is what a row of probe results says.
type judgement int

const (
	undecided judgement = iota
	healthy
	unhealthy
)

// probing counts the results of one probe. An eager one, meant for startup and readiness, asks
// more often than its period until the first success, so that a container is ready when it is and
// not up to a period later. It waits a tenth of the time that has passed, which bounds both the
// delay and the work; and failures that only eagerness found do not count.
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

// first is the pause before the first probe. One that can only find fault lets the program start.
func (p *probing) first() time.Duration {
	if p.eager {
		return 0
	}
	return p.period
}

// observe counts a result. counted is false for one that only eagerness found.
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

// pause is how long to wait before the next probe.
func (p *probing) pause(now time.Time) time.Duration {
	regular := max(p.next.Sub(now), 0)
	if !p.eager {
		return regular
	}
	return min(max(now.Sub(p.begun)/10, eagerPause), max(regular, eagerPause))
}

// SPDX-License-Identifier: Apache-2.0

// Package scale decides how many replicas a revision has. What the rollout
// needs, and the time, go in; a replica count and when to look again come out.
// It refuses to know where these come from: the autoscaler reads and writes.
package scale

import "time"

// idleDelay is how long a revision without traffic stays warm, so that an
// immediate rollback costs no cold start.
const idleDelay = 30 * time.Second

// Input is a revision as it is.
type Input struct {
	// Replicas is how many there should be so far.
	Replicas int32
	// Active revisions have traffic, or are being started.
	Active bool
	// IdleSince is when the revision ceased to be active. A revision that is
	// not active and has no such time is not kept warm.
	IdleSince time.Time
	// Min is the least number of replicas while active.
	Min int32
	Now time.Time
}

// Plan is a revision as it should be.
type Plan struct {
	Replicas int32
	// Again is when to look again; zero means: when something changes.
	Again time.Duration
}

// Decide says how many replicas a revision should have now.
func Decide(in Input) Plan {
	if in.Active {
		return Plan{Replicas: max(1, in.Min)}
	}
	if in.IdleSince.IsZero() {
		return Plan{}
	}
	if warm := in.IdleSince.Add(idleDelay).Sub(in.Now); warm > 0 {
		return Plan{Replicas: in.Replicas, Again: warm}
	}
	return Plan{}
}

// SPDX-License-Identifier: Apache-2.0

package action

import (
	"fmt"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/rollout"
)

// outcome is what an edit of the spec leads to by the rules of package rollout:
// now, and once all is ready.
type outcome struct {
	*Rollout
	now, ready rollout.Plan
}

func (r *Rollout) simulate(percent *int64, t rollout.Target) outcome {
	now, ready := rollout.Simulate(r.input, rollout.Edit{Percent: percent, Target: t})
	return outcome{r, now, ready}
}

// asked is the outcome of another canaryTrafficPercent.
func (r *Rollout) asked(percent int64) outcome { return r.simulate(&percent, r.input.Target) }

// goesBack reports whether a plan gives the traffic back to the previous
// revision, which is not what the spec asks for.
func (r *Rollout) goesBack(p rollout.Plan) bool {
	to := p.Status.Components[v1beta1.Predictor].LatestRolledoutRevision
	return r.Previous != nil && r.Previous != r.RolledOut && r.Previous != r.Current && r.Previous.Name == to
}

// when says when a revision gets its share.
func (o outcome) when(rev *Revision) string {
	now, has := share(o.now, rev)
	switch ready, _ := share(o.ready, rev); {
	case o.stopped():
		return "once the service is no longer stopped"
	case has && now >= ready:
		return "at once"
	}
	return fmt.Sprintf("once it is ready (%s)", o.pods(rev))
}

// share is what a plan gives to a revision, if anything.
func share(p rollout.Plan, rev *Revision) (percent int64, has bool) {
	if planned := p.Revision(rev.Name); planned != nil && planned.Percent != nil {
		return *planned.Percent, true
	}
	return 0, false
}

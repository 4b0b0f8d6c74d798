// SPDX-License-Identifier: Apache-2.0

package action

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/serin-dev/serin/internal/controlplane/rollout"
)

// Change is an edit of the spec that a person could have made by hand.
type Change struct {
	// Patch is a JSON merge patch of the InferenceService. It is empty if the
	// spec says already what was asked for.
	Patch json.RawMessage
	// Summary is what the change does and what happens next, in a sentence.
	Summary string
	// Warnings are reasons to ask a person first.
	Warnings []string
	// NoEvidence is why the requests could not be looked at for such reasons;
	// empty if they could, or need not be.
	NoEvidence string
}

// Evidence is what the requests of a revision have shown so far.
type Evidence struct {
	// Known is set if the requests could be counted. Why is the reason if not.
	Known bool
	Why   string
	// Requests were answered, Errors of them with a 5xx.
	Requests, Errors int64
}

// Promote gives the revision of the spec all the traffic.
func (r *Rollout) Promote(e Evidence) (Change, error) {
	if err := r.shareable(); err != nil {
		return Change{}, err
	}
	n := r.Current.Name
	_, held := r.held()
	switch {
	case !held && r.Current == r.RolledOut:
		return r.already("%s has all the traffic", n)
	case !held:
		return r.already("%s takes all the traffic once it is ready (%s)", n, r.pods(r.Current))
	case r.Current == r.RolledOut:
		return r.change(set{"canaryTrafficPercent": nil}, "%s keeps all the traffic, whatever was to be rolled back", n)
	}
	c, err := r.change(set{"canaryTrafficPercent": nil}, "%s%s takes all the traffic %s", r.shift(100), n, r.asked(100).when(r.Current))
	c.Warnings, c.NoEvidence = r.warnings(e), r.noEvidence(e)
	return c, err
}

// noEvidence is why nothing is known about the current revision's answers.
func (r *Rollout) noEvidence(e Evidence) string {
	if e.Why == "" {
		return ""
	}
	return fmt.Sprintf("no router reports how %s has answered: %s", r.Current.Name, e.Why)
}

// warnings are reasons not to give the current revision everything yet.
func (r *Rollout) warnings(e Evidence) []string {
	var out []string
	n := r.Current
	if n.State == RolledBack {
		out = append(out, n.Name+" was rolled back, or has been held at 0% since it was applied")
	}
	switch {
	case n.Failure != nil && n.Ready == 0:
		out = append(out, fmt.Sprintf("%s does not start: %s", n.Name, n.Failure.Sentence()))
	case n.Ready == 0 && !r.asleep(n):
		out = append(out, n.Name+" is not ready: it would take everything without having served as a canary")
	case e.Known && e.Requests == 0:
		out = append(out, n.Name+" has not answered a single request yet")
	case e.Known && e.Errors > 0:
		out = append(out, fmt.Sprintf("%s answered %d of %d requests with an error (5xx)", n.Name, e.Errors, e.Requests))
	}
	return out
}

// SetTraffic gives the revision of the spec a share.
func (r *Rollout) SetTraffic(percent int64, e Evidence) (Change, error) {
	if percent < 0 || percent > 100 {
		return Change{}, fmt.Errorf("%d%% is not a share of the traffic: it must be a number from 0 to 100", percent)
	}
	o := r.asked(percent)
	if c := r.canary(); r.invalid() && c.percent() > percent {
		switch back := r.goesBack(o.ready); {
		case back && r.Current == r.RolledOut:
			return Change{}, fmt.Errorf("%s has been rolled out: canaryTrafficPercent %d would roll back to %s. Mend the spec first",
				r.RolledOut.Name, percent, r.Previous.Name)
		case back:
			return Change{}, fmt.Errorf("the spec has the model of %s: canaryTrafficPercent %d would give all the traffic to the previous model in %s. 'abort' keeps %s",
				r.RolledOut.Name, percent, r.Previous.Name, r.RolledOut.Name)
		}
		return r.change(set{"canaryTrafficPercent": percent}, "%d%% -> %d%%: %s gets less, the rest goes to %s at once. The spec stays as it is, and is not accepted",
			c.percent(), percent, c.Name, r.RolledOut.Name)
	}
	if err := r.shareable(); err != nil {
		return Change{}, err
	}
	n := r.Current.Name
	if c, _ := r.held(); c == percent {
		return r.already("canaryTrafficPercent of %s is %d", n, percent)
	}
	edit := set{"canaryTrafficPercent": percent}
	switch back := r.goesBack(o.ready); {
	case percent == 100 && r.Current == r.RolledOut:
		return r.change(edit, "%s keeps all the traffic, whatever was to be rolled back", n)
	case percent == 100:
		c, err := r.change(edit, "%s%s takes all the traffic %s", r.shift(100), n, o.when(r.Current))
		c.Warnings, c.NoEvidence = r.warnings(e), r.noEvidence(e)
		return c, err
	case r.Current == r.RolledOut && !back:
		return Change{}, fmt.Errorf("%s has all the traffic, and there is no previous revision to share it with", n)
	case r.Current == r.RolledOut:
		c, err := r.change(edit, "100%% -> %d%%: %s takes %d%% of the traffic back %s", percent, r.Previous.Name, 100-percent, o.when(r.Previous))
		c.Warnings = []string{fmt.Sprintf("%s has been rolled out: less than 100%% for it rolls back to %s", n, r.Previous.Name)}
		return c, err
	case back:
		c, err := r.change(edit, "%sthe previous model is pinned, %s takes all the traffic %s", r.shift(0), r.Previous.Name, o.when(r.Previous))
		c.Warnings = []string{fmt.Sprintf("%s and %s have the same model: 0%% for it gives all the traffic to the previous model in %s ('abort' keeps %s)",
			n, r.RolledOut.Name, r.Previous.Name, r.RolledOut.Name)}
		return c, err
	}
	return r.change(edit, "%s%s gets %d%% of the traffic %s", r.shift(percent), n, percent, o.when(r.Current))
}

// Pause freezes the split as it is.
func (r *Rollout) Pause() (Change, error) {
	if err := r.shareable(); err != nil {
		return Change{}, err
	}
	n, share := r.Current.Name, r.Current.percent()
	c, held := r.held()
	switch {
	case r.Current == r.RolledOut:
		return r.already("no rollout is in progress: %s has all the traffic", n)
	case held && c == share:
		return r.already("%s is held at %d%%", n, c)
	case r.goesBack(r.asked(share).ready):
		return Change{}, fmt.Errorf("%s cannot be held at 0%%: it has the model of %s, so that canaryTrafficPercent 0 gives all the traffic to the previous model in %s. 'abort' ends the rollout",
			n, r.RolledOut.Name, r.Previous.Name)
	}
	return r.change(set{"canaryTrafficPercent": share}, "%s is held at %d%% until 'set-traffic', 'promote' or 'abort'", n, share)
}

// Abort ends a rollout in progress: the spec becomes that of the revision that is
// rolled out, with nothing left of the new one.
func (r *Rollout) Abort() (Change, error) {
	switch {
	case r.RolledOut == nil:
		return Change{}, errors.New("nothing has been rolled out that an abort could go back to: apply another manifest, or delete the service")
	case r.Current == r.RolledOut:
		return r.already("no rollout is in progress: %s is the revision of the spec", r.RolledOut.Name)
	}
	switch {
	case r.Current == nil:
		return r.restore(r.RolledOut, "%s keeps all the traffic, and the spec is its own again", r.RolledOut.Name)
	case r.Current.percent() == 0:
		return r.restore(r.RolledOut, "%s keeps all the traffic, and %s goes to zero", r.RolledOut.Name, r.Current.Name)
	}
	return r.restore(r.RolledOut, "%s%s takes all the traffic at once, and %s goes to zero", r.shift(0), r.RolledOut.Name, r.Current.Name)
}

// Undo takes the last full rollout back.
func (r *Rollout) Undo() (Change, error) {
	_, held := r.held()
	o := r.asked(0)
	switch {
	case r.RolledOut == nil:
		return Change{}, errors.New("nothing has been rolled out yet that could be undone")
	case r.Current == nil:
		return r.Abort() // the last change is the edit that no revision could be made from
	case r.Current != r.RolledOut && r.Current.State != RolledBack:
		return Change{}, fmt.Errorf("a rollout is in progress: 'abort' ends it and leaves all the traffic with %s", r.RolledOut.Name)
	case r.Previous == nil:
		return Change{}, fmt.Errorf("there is no revision before %s to go back to", r.RolledOut.Name)
	case r.Current != r.RolledOut:
		return r.already("%s has all the traffic again. Further back goes 'undo --to-revision': %s", r.Previous.Name, r.names())
	case !r.goesBack(o.ready):
		return r.already("%s took the traffic back before. Further back goes 'undo --to-revision': %s", r.RolledOut.Name, r.names())
	case held:
		return r.already("traffic goes back to %s %s", r.Previous.Name, o.when(r.Previous))
	}
	return r.change(set{"canaryTrafficPercent": 0}, "%s%s takes all the traffic back %s", r.shift(0), r.Previous.Name, o.when(r.Previous))
}

// UndoTo writes the spec of an earlier revision back and rolls it out.
func (r *Rollout) UndoTo(name string) (Change, error) {
	to := r.Named(name)
	_, held := r.held()
	switch {
	case to == nil:
		return Change{}, fmt.Errorf("there is no revision %s; there are %s", name, r.names())
	case to == r.Current && !held:
		return r.already("%s is the revision of the spec", to.Name)
	case to == r.Current:
		return Change{}, fmt.Errorf("%s is the revision of the spec, held at %d%%: 'promote' gives it all the traffic", to.Name, to.percent())
	case to == r.RolledOut:
		return r.Abort()
	}
	takes := "takes"
	if to.Ready == 0 {
		takes = "starts cold, and takes"
	}
	c, err := r.restore(to, "%d%% -> 100%%: %s %s all the traffic %s", to.percent(), to.Name, takes, r.simulate(nil, rollout.Target{Hash: to.Hash, Model: to.Model}).when(to))
	if to.Ready == 0 {
		c.Warnings = []string{to.Name + " starts cold: it has no ready Pod, and its model may be gone by now"}
	}
	return c, err
}

// shareable returns why the current revision cannot be given a share, nil if it can.
func (r *Rollout) shareable() error {
	switch {
	case r.Current == nil:
		return fmt.Errorf("no revision could be made of the spec: %s 'abort' writes the last good one back", r.Outlook().Next)
	case r.invalid():
		return fmt.Errorf("no share grows while the spec is not accepted: %s 'abort' writes the last good one back", r.Outlook().Next)
	case r.RolledOut == nil:
		return fmt.Errorf("%s is the first revision: it takes all the traffic once it is ready, whatever canaryTrafficPercent says", r.Current.Name)
	}
	return nil
}

// canary returns the revision that has traffic beside the one rolled out, nil
// if there is none.
func (r *Rollout) canary() *Revision {
	for i := range r.Revisions {
		if rev := &r.Revisions[i]; rev.Share != nil && r.RolledOut != nil && rev != r.RolledOut {
			return rev
		}
	}
	return nil
}

// asleep reports whether a revision may have its share without Pods, because no
// requests come.
func (r *Rollout) asleep(rev *Revision) bool {
	return r.input.Min == 0 && rev.Share != nil
}

// shift reads like "10% -> 100%: ".
func (r *Rollout) shift(percent int64) string {
	if r.Current.percent() == percent {
		return ""
	}
	return fmt.Sprintf("%d%% -> %d%%: ", r.Current.percent(), percent)
}

func (r *Rollout) already(format string, args ...any) (Change, error) {
	return Change{Summary: "nothing to change: " + fmt.Sprintf(format, args...)}, nil
}

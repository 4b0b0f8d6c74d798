// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
)

// world is a cluster small enough to think about: it does what plans say.
type world struct {
	isvc      *v1beta1.InferenceService
	target    Target
	revisions []Revision
	idle      map[string]bool // revisions whose Deployments are marked as not active
	deny      refused
	now       time.Time
	min       int32 // replicas
	storage
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newWorld() *world {
	return &world{
		isvc:    &v1beta1.InferenceService{ObjectMeta: metav1.ObjectMeta{Name: "iris", Namespace: "ns", Annotations: map[string]string{}}},
		now:     epoch,
		min:     1,
		idle:    map[string]bool{},
		storage: newStorage(),
	}
}

func (w *world) clone() *world {
	return &world{
		isvc: w.isvc.DeepCopy(), target: w.target, revisions: slices.Clone(w.revisions),
		idle: maps.Clone(w.idle), now: w.now, min: w.min, storage: w.storage.clone(),
	}
}

// apply is the user's kubectl apply of a manifest.
func (w *world) apply(model, args string, c *int64) {
	w.isvc.Generation++
	w.isvc.Spec.Predictor.CanaryTrafficPercent = c
	w.target = Target{Hash: model + "/" + args, Model: model, ClusterRuntime: "kserve-sklearnserver"}
}

func (w *world) annotate(key string, on bool) {
	if on {
		w.isvc.Annotations[key] = "true"
	} else {
		delete(w.isvc.Annotations, key)
	}
}

func (w *world) input() Input {
	n := NextNumber(w.isvc.Name, w.revisions, w.isvc.Status.Components[v1beta1.Predictor])
	return Input{
		Service:   w.isvc.DeepCopy(),
		Domain:    "example.com",
		Target:    w.target,
		Revisions: slices.Clone(w.revisions),
		Min:       w.min,
		Next:      Revision{Name: fmt.Sprintf("iris-predictor-%05d", n), Number: n},
		Now:       w.now,
	}
}

// refused are the writes that the API does not take.
type refused struct {
	create, status, letGo bool
	digest, models        bool            // the annotation of a record, and the ConfigMap
	activate              map[string]bool // by revision
}

// round is one reconcile, in the order of the controller's writes: it makes
// what is needed, stores the status, and lets go of what nobody needs once the
// stored status says so.
func (w *world) round(deny refused) Plan {
	in := w.input()
	p := Decide(in)
	switch {
	case p.New() != nil && deny.create:
		in.Target.Invalid = &Invalid{Reason: v1beta1.InvalidPredictorSpec, Message: "refused"}
		p = Decide(in)
	case p.New() != nil:
		w.revisions = append(w.revisions, Revision{Name: p.New().Name, Number: p.New().Number, Hash: w.target.Hash, Model: w.target.Model, HoldsModel: true})
	}
	recorded, refusals := w.record(p, deny)
	if recorded {
		in.Revisions = slices.Clone(w.revisions)
		p = Decide(in)
	}
	in.Refusals = slices.Concat(refusals, w.activate(p, deny), w.tell(p, deny))
	if len(in.Refusals) > 0 {
		p = Decide(in)
	}
	if !reflect.DeepEqual(w.isvc.Status, p.Status) {
		if !deny.status {
			w.isvc.Status = *p.Status.DeepCopy()
		}
		return p
	}
	if !deny.letGo {
		w.letGo(p)
		if !slices.ContainsFunc(in.Refusals, func(f Refusal) bool { return f.Revision != "" && !f.Deployment }) {
			w.deleteForeign(p)
		}
	}
	return p
}

// activate makes the Deployments that must run, and returns those refused.
func (w *world) activate(p Plan, deny refused) (out []Refusal) {
	for i := range w.revisions {
		r := &w.revisions[i]
		if planned := p.Revision(r.Name); planned == nil || !planned.Active || !w.idle[r.Name] && r.Deployed {
			continue
		}
		if deny.activate[r.Name] {
			out = append(out, Refusal{Revision: r.Name, Deployment: true, Message: "refused"})
			continue
		}
		r.IdleSince, r.Deployed, r.Drained = time.Time{}, true, false
		delete(w.idle, r.Name)
	}
	return out
}

// letGo marks what is idle, and deletes what is not kept.
func (w *world) letGo(p Plan) {
	w.revisions = slices.DeleteFunc(w.revisions, func(r Revision) bool { return p.Revision(r.Name) == nil })
	for i := range w.revisions {
		r := &w.revisions[i]
		switch planned := p.Revision(r.Name); {
		case !planned.Deployed:
			r.IdleSince, r.Deployed, r.Drained = time.Time{}, false, false
			delete(w.idle, r.Name)
		case !planned.Active:
			r.IdleSince, r.Deployed = planned.IdleSince, true
			w.idle[r.Name] = true
		}
	}
}

// scale is the autoscaler's part.
func (w *world) scale() {
	for i := range w.revisions {
		r := &w.revisions[i]
		if w.idle[r.Name] && w.now.Sub(r.IdleSince) >= 30*time.Second {
			r.Health, r.Drained = Health{}, true
		}
	}
}

// decide is a round, and another on the status that it stored. It returns what
// the first wanted and what exists after both.
func (w *world) decide() Plan {
	p := w.round(w.deny)
	created := p.New()
	p.Revisions = w.round(w.deny).Revisions
	if created != nil {
		p.Revision(created.Name).New = true
	}
	return p
}

// weights are the shares of a plan, the latest revision first.
func weights(p Plan) []weight {
	var out []weight
	for _, t := range p.Status.Components[v1beta1.Predictor].Traffic {
		out = append(out, weight{t.RevisionName, *t.Percent})
	}
	return out
}

// names are those of the planned revisions that are as asked for.
func names(p Plan, is func(PlannedRevision) bool) []string {
	var out []string
	for _, r := range p.Revisions {
		if is(r) {
			out = append(out, r.Name)
		}
	}
	return out
}

func kept(PlannedRevision) bool       { return true }
func active(r PlannedRevision) bool   { return r.Active }
func starting(r PlannedRevision) bool { return r.Starting }

func (w *world) revision(number int) *Revision {
	i := slices.IndexFunc(w.revisions, func(r Revision) bool { return r.Number == number })
	if i < 0 {
		return nil
	}
	return &w.revisions[i]
}

// summary is a plan as the story files show it.
func (w *world) summary(p Plan) string {
	var b strings.Builder
	line := func(format string, args ...any) {
		fmt.Fprintln(&b, strings.ReplaceAll(fmt.Sprintf(format, args...), "iris-predictor-", ""))
	}
	c := p.Status.Components[v1beta1.Predictor]
	line("rule: %s (%s)", p.Rule, p.Why)
	if n := p.New(); n != nil {
		line("create: %s", n.Name)
	}
	for _, t := range c.Traffic {
		line("traffic: %3d %s latestRevision=%t %s", *t.Percent, t.RevisionName, *t.LatestRevision, strings.TrimSpace(t.Tag+" "+t.URL))
	}
	line("R=%s P=%s L=%s C=%s", c.LatestRolledoutRevision, c.PreviousRolledoutRevision, c.LatestReadyRevision, c.LatestCreatedRevision)
	line("keep: %s", strings.Join(names(p, kept), " "))
	if cold := names(p, func(r PlannedRevision) bool { return !r.Deployed }); len(cold) > 0 {
		line("records only: %s", strings.Join(cold, " "))
	}
	line("active: %s", strings.Join(names(p, active), " "))
	if w.min == 0 {
		line("starting: %s", strings.Join(names(p, starting), " "))
	}
	for _, r := range p.Revisions {
		if digest := p.Status.ModelDigests[r.Name]; digest != "" {
			line("model: %s serves %s", r.Name, digest)
		}
		if len(r.Foreign) > 0 {
			line("foreign: %s", strings.Join(r.Foreign, " "))
		}
		if !r.IdleSince.IsZero() {
			line("idle: %s since %s", r.Name, r.IdleSince.Sub(epoch))
		}
	}
	for _, c := range p.Status.Conditions {
		if c.Status != metav1.ConditionTrue || c.Type == v1beta1.ConditionReady || c.Type == v1beta1.ConditionModelChanged {
			line("%s=%s since %s %s: %s", c.Type, c.Status, c.LastTransitionTime.Sub(epoch), c.Reason, c.Message)
		}
	}
	if m := p.Status.ModelStatus; m != nil {
		line("model: %s, active %q, target %q, copies %+v", m.TransitionStatus, m.States.ActiveModelState, m.States.TargetModelState, m.Copies)
		if f := m.LastFailureInfo; f != nil {
			line("failure: %s in revision %q: %s", f.Reason, f.ModelRevisionName, f.Message)
		}
	}
	for _, e := range p.Events {
		line("event: %s %s: %s", e.Type(), e.Reason, e.Message)
	}
	return b.String()
}

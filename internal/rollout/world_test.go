// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"maps"
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
	now       time.Time
	min       int32 // replicas
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newWorld() *world {
	return &world{
		isvc: &v1beta1.InferenceService{ObjectMeta: metav1.ObjectMeta{Name: "iris", Namespace: "ns", Annotations: map[string]string{}}},
		now:  epoch,
		min:  1,
	}
}

func (w *world) clone() *world {
	return &world{isvc: w.isvc.DeepCopy(), target: w.target, revisions: slices.Clone(w.revisions), now: w.now, min: w.min}
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
	n := NextNumber(w.revisions, w.isvc.Status.Components[v1beta1.Predictor])
	return Input{
		Service:   w.isvc.DeepCopy(),
		Domain:    "example.com",
		Target:    w.target,
		Revisions: slices.Clone(w.revisions),
		Min:       w.min,
		Next:      NewRevision{Name: fmt.Sprintf("iris-predictor-%05d", n), Number: n},
		Now:       w.now,
	}
}

// do makes objects as the plan says, the status apart.
func (w *world) do(p Plan) {
	if p.Create != nil {
		w.revisions = append(w.revisions, Revision{Name: p.Create.Name, Number: p.Create.Number, Hash: w.target.Hash, Model: w.target.Model})
	}
	w.revisions = slices.DeleteFunc(w.revisions, func(r Revision) bool { return !slices.Contains(p.Keep, r.Name) })
	for i := range w.revisions {
		w.revisions[i].IdleSince = p.IdleSince[w.revisions[i].Name]
	}
}

// scale is the autoscaler's part.
func (w *world) scale(p Plan) {
	for i := range w.revisions {
		r := &w.revisions[i]
		if !slices.Contains(p.Active, r.Name) && w.now.Sub(r.IdleSince) >= 30*time.Second {
			r.Health = Health{}
		}
	}
}

// decide decides, and does all of it.
func (w *world) decide() Plan {
	p := Decide(w.input())
	w.do(p)
	w.isvc.Status = *p.Status.DeepCopy()
	return p
}

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
	if p.Create != nil {
		line("create: %s", p.Create.Name)
	}
	for _, t := range c.Traffic {
		line("traffic: %3d %s latestRevision=%t %s", *t.Percent, t.RevisionName, *t.LatestRevision, strings.TrimSpace(t.Tag+" "+t.URL))
	}
	line("R=%s P=%s L=%s C=%s", c.LatestRolledoutRevision, c.PreviousRolledoutRevision, c.LatestReadyRevision, c.LatestCreatedRevision)
	line("keep: %s", strings.Join(p.Keep, " "))
	line("active: %s", strings.Join(p.Active, " "))
	if w.min == 0 {
		line("starting: %s", strings.Join(p.Starting, " "))
	}
	for _, name := range slices.Sorted(maps.Keys(p.IdleSince)) {
		line("idle: %s since %s", name, p.IdleSince[name].Sub(epoch))
	}
	for _, c := range p.Status.Conditions {
		if c.Status != metav1.ConditionTrue || c.Type == v1beta1.ConditionReady {
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

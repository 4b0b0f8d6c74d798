// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/serin-dev/serin/api/v1beta1"
)

// testingT is what *testing.T and *rapid.T share.
type testingT interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
}

// TestInvariantsHoldInRandomHistories plays random users, clusters, crashes
// and clocks against Decide.
func TestInvariantsHoldInRandomHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := newHistoryCheck()
		h.apply("m1", "", drawCanary(t))
		h.step(t)
		t.Repeat(map[string]func(*rapid.T){
			"apply": func(t *rapid.T) {
				h.apply(rapid.SampledFrom([]string{"m1", "m2", "m3"}).Draw(t, "model"),
					rapid.SampledFrom([]string{"", "a", "b"}).Draw(t, "args"), drawCanary(t))
				h.step(t)
			},
			"new model": func(t *rapid.T) { // long histories are pruned
				h.apply(rapid.StringMatching("[a-z]{4}").Draw(t, "model"), "", drawCanary(t))
				h.step(t)
			},
			"change c": func(t *rapid.T) {
				h.isvc.Generation++
				h.isvc.Spec.Predictor.CanaryTrafficPercent = drawCanary(t)
				h.step(t)
			},
			"invalid": func(t *rapid.T) {
				h.isvc.Generation++
				h.target = Target{
					Model:   rapid.SampledFrom([]string{"", "m1", "m2", "m3"}).Draw(t, "model"),
					Invalid: &Invalid{Reason: v1beta1.NoSupportingRuntime, Message: "none"},
				}
				h.isvc.Spec.Predictor.CanaryTrafficPercent = drawCanary(t)
				h.step(t)
			},
			"bounds": func(t *rapid.T) {
				h.isvc.Generation++
				h.min = rapid.Int32Range(0, 3).Draw(t, "min")
				h.step(t)
			},
			"stop": func(t *rapid.T) {
				h.annotate(v1beta1.AnnotationStop, rapid.Bool().Draw(t, "on"))
				h.step(t)
			},
			"tags": func(t *rapid.T) {
				h.annotate(v1beta1.AnnotationTagRouting, rapid.Bool().Draw(t, "on"))
				h.step(t)
			},
			"health": func(t *rapid.T) {
				if len(h.revisions) == 0 {
					t.Skip("no revisions")
				}
				r := &h.revisions[rapid.IntRange(0, len(h.revisions)-1).Draw(t, "revision")]
				if !r.runs() {
					t.Skip("it has no Pods")
				}
				r.Health = drawHealth(t)
				h.step(t)
			},
			"model overwritten": func(t *rapid.T) { h.overwrite(); h.step(t) },
			"Pods start": func(t *rapid.T) {
				if len(h.revisions) == 0 {
					t.Skip("no revisions")
				}
				h.drawPods(t, &h.revisions[rapid.IntRange(0, len(h.revisions)-1).Draw(t, "revision")])
				h.step(t)
			},
			"mutable": func(t *rapid.T) {
				h.wasMutable = true
				h.annotate(v1beta1.AnnotationMutableModel, rapid.Bool().Draw(t, "on"))
				h.step(t)
			},
			"time": func(t *rapid.T) {
				h.now = h.now.Add(rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, time.Minute}).Draw(t, "time"))
				h.step(t)
			},
			"sleep": func(t *rapid.T) { h.sleep(); h.step(t) },
			"writes refused": func(t *rapid.T) {
				h.refuse(t)
			},
			"all well":      func(t *rapid.T) { h.settle(t) },
			"rolled out":    func(t *rapid.T) { h.rollOut(t); h.settle(t) },
			"and long idle": func(t *rapid.T) { h.rollOut(t); h.settle(t); h.longIdle(t) },
		})
	})
}

func (h *historyCheck) rollOut(t *rapid.T) {
	h.apply(rapid.SampledFrom([]string{"m1", "m2"}).Draw(t, "model"), "", nil)
	h.step(t)
}

// longIdle lets the delay of a warm rollback pass. Then no more than the revision of
// the spec, the one rolled out and the one before it have a Deployment.
func (h *historyCheck) longIdle(t testingT) {
	h.step(t) // marks what is idle
	h.now = h.now.Add(time.Minute)
	h.checkedScale(t)
	h.step(t)
	n := 0
	for _, r := range h.revisions {
		if r.Deployed {
			n++
		}
	}
	if n > 3 {
		t.Fatalf("%d Deployments after a minute: %+v", n, h.revisions)
	}
}

func drawCanary(t *rapid.T) *int64 {
	if rapid.Bool().Draw(t, "full") {
		return nil
	}
	c := rapid.SampledFrom([]int64{0, 0, 10, 50, 99, 100}).Draw(t, "c")
	return &c
}

func drawHealth(t *rapid.T) Health {
	h := Health{Ready: rapid.Int32Range(0, 3).Draw(t, "ready"), Loading: rapid.Bool().Draw(t, "loading")}
	if rapid.Bool().Draw(t, "fails") {
		h.Failed = 1
		h.Failure = &v1beta1.FailureInfo{Reason: v1beta1.ModelLoadFailed, Message: "boom", ExitCode: 1}
	} else if rapid.Bool().Draw(t, "late") {
		h.Late = &v1beta1.FailureInfo{Reason: v1beta1.RuntimeUnhealthy, Message: "nothing listens"}
	}
	return h
}

// historyCheck is a world and what of its past the invariants are about.
type historyCheck struct {
	*world
	rolledBack map[string]bool // revisions that must not get traffic
	last       int             // number given to a revision
	wasMutable bool            // revisions need not serve one model each
	unheld     map[string]bool // revisions that had traffic while none of their Pods had reported a model
	starting   []string
}

func newHistoryCheck() *historyCheck {
	return &historyCheck{world: newWorld(), rolledBack: map[string]bool{}, unheld: map[string]bool{}}
}

// step decides and checks every invariant.
func (h *historyCheck) step(t testingT) {
	t.Helper()
	before, old := h.clone(), h.isvc.Status.Components[v1beta1.Predictor]
	in := h.input()
	given, revisions := in.Service.DeepCopy(), slices.Clone(in.Revisions)
	Simulate(in, Edit{new(int64(50)), in.Target})
	Decide(in)
	if diff := difference(given, in.Service) + difference(revisions, in.Revisions); diff != "" { // I7
		t.Fatalf("Decide or Simulate wrote into its input (-before +after):\n%s", diff)
	}
	checkLateness(t, in)
	p := h.decide()

	h.checkTraffic(t, p, old)
	h.checkRolledBack(t, p, old)
	h.checkHistory(t, p)
	h.checkPods(t, before)
	h.checkDeployments(t)
	h.checkContent(t)
	checkSettled(t, h.world)
	checkCrash(t, before, h.world)
	h.starting = names(p, starting)
	h.checkedScale(t)
}

// checkLateness requires that what keeps a Pod decides nothing, until it has failed.
func checkLateness(t testingT, in Input) {
	t.Helper()
	late := Decide(in)
	in.Revisions = slices.Clone(in.Revisions)
	for i := range in.Revisions {
		in.Revisions[i].Late = nil
	}
	p := Decide(in)
	if diff := difference(p.Revisions, late.Revisions) + difference(p.Status.Components, late.Status.Components); diff != "" {
		t.Fatalf("a late Pod changed the decision (-without +with):\n%s", diff)
	}
	if m := late.Status.ModelStatus; m != nil && m.LastFailureInfo != nil && m.LastFailureInfo.Message == "nothing listens" && m.TransitionStatus == v1beta1.BlockedByFailedLoad {
		t.Fatalf("a late Pod counts as failed")
	}
}

// checkedScale is the autoscaler's part. It must find no share on what it stops.
func (h *historyCheck) checkedScale(t testingT) {
	t.Helper()
	ready := map[string]int32{}
	for _, r := range h.revisions {
		ready[r.Name] = r.Ready
	}
	h.scale()
	for _, w := range h.isvc.Status.Components[v1beta1.Predictor].Traffic {
		for _, r := range h.revisions {
			if r.Name == w.RevisionName && r.Ready < ready[r.Name] {
				t.Fatalf("%s goes to zero while the stored status gives it %d%%", r.Name, *w.Percent)
			}
		}
	}
}

// refuse lets the API refuse any subset of the writes, for some rounds in
// which people and time go on (I8).
func (h *historyCheck) refuse(t *rapid.T) {
	for range rapid.IntRange(1, 4).Draw(t, "rounds") {
		deny := refused{
			create:   rapid.Bool().Draw(t, "record refused"),
			status:   rapid.Bool().Draw(t, "status refused"),
			letGo:    rapid.Bool().Draw(t, "idle refused"),
			digest:   rapid.Bool().Draw(t, "digest refused"),
			models:   rapid.Bool().Draw(t, "ConfigMap refused"),
			activate: map[string]bool{},
		}
		for i := range len(h.revisions) + 1 {
			deny.activate[fmt.Sprintf("iris-predictor-%05d", i+1)] = rapid.Bool().Draw(t, "Deployment refused")
		}
		switch rapid.IntRange(0, 4).Draw(t, "meanwhile") {
		case 0:
			h.apply(rapid.SampledFrom([]string{"m1", "m2", "m3"}).Draw(t, "model"), "", drawCanary(t))
		case 1:
			h.isvc.Generation++
			h.isvc.Spec.Predictor.CanaryTrafficPercent = drawCanary(t)
		case 2:
			if len(h.revisions) > 0 {
				h.drawPods(t, &h.revisions[len(h.revisions)-1])
			}
		}
		old := h.isvc.Status.Components[v1beta1.Predictor]
		before := h.clone()
		p := h.round(deny)
		h.checkPods(t, before)
		h.checkTraffic(t, p, old)
		h.checkContent(t)
		if n := p.New(); n != nil {
			h.last = max(h.last, n.Number)
		}
		h.now = h.now.Add(time.Minute)
		h.checkedScale(t)
	}
	h.rolledBack = map[string]bool{} // a user that changed things in between is not followed here
	h.step(t)
}

// sleep is the autoscaler's other part: without requests, and where the least
// number of replicas is 0, what need not start goes to zero.
func (h *historyCheck) sleep() {
	for i := range h.revisions {
		if r := &h.revisions[i]; h.min == 0 && !slices.Contains(h.starting, r.Name) {
			r.Health = Health{}
		}
	}
}

// checkTraffic: I1 and I2. Without health there is no new share, and once
// something served there is always somebody who does.
func (h *historyCheck) checkTraffic(t testingT, p Plan, old v1beta1.ComponentStatus) {
	var sum int64
	for _, w := range weights(p) {
		sum += w.Percent
		r := (&situation{in: h.input()}).revision(w.Revision)
		if r == nil {
			t.Fatalf("traffic for %s, which does not exist: %+v", w.Revision, weights(p))
		}
		had := slices.IndexFunc(old.Traffic, func(t v1beta1.TrafficTarget) bool { return t.RevisionName == w.Revision })
		isNew := had < 0 || *old.Traffic[had].Percent < w.Percent
		if isNew && w.Percent > 0 && r.Ready == 0 && w.Revision != old.LatestRolledoutRevision {
			t.Fatalf("%s gets more traffic with nothing ready: %+v, before %+v", w.Revision, weights(p), old.Traffic)
		}
	}
	stopped := h.isvc.Annotations[v1beta1.AnnotationStop] == "true"
	switch {
	case len(weights(p)) > 0 && sum != 100:
		t.Fatalf("weights sum to %d: %+v", sum, weights(p))
	case len(weights(p)) > 0 && stopped:
		t.Fatalf("a stopped service has traffic: %+v", weights(p))
	case len(weights(p)) == 0 && !stopped && old.LatestRolledoutRevision != "":
		t.Fatalf("traffic vanished, rule %q", p.Rule)
	case len(weights(p)) > 2:
		t.Fatalf("more than two shares: %+v", weights(p))
	}
}

// checkRolledBack: I6. What was rolled back stays without traffic until the
// user asks for it again.
func (h *historyCheck) checkRolledBack(t testingT, p Plan, old v1beta1.ComponentStatus) {
	now := p.Status.Components[v1beta1.Predictor]
	c := h.isvc.Spec.Predictor.CanaryTrafficPercent
	if h.target.Invalid == nil && (c == nil || *c > 0) {
		delete(h.rolledBack, now.LatestCreatedRevision)
	}
	for _, w := range weights(p) {
		if w.Percent > 0 && h.rolledBack[w.Revision] {
			t.Fatalf("rolled back %s has traffic again: %+v, rule %q", w.Revision, weights(p), p.Rule)
		}
	}
	if p.Rule == "roll back" || p.Rule == rulePin {
		if now.LatestRolledoutRevision != old.LatestRolledoutRevision {
			if *c == 0 {
				h.rolledBack[old.LatestRolledoutRevision] = true
			}
			delete(h.rolledBack, now.LatestRolledoutRevision)
		}
	}
}

// checkHistory: numbers are never used again, the history has an end, and
// what the status names exists.
func (h *historyCheck) checkHistory(t testingT, p Plan) {
	if n := p.New(); n != nil {
		if n.Number <= h.last {
			t.Fatalf("number %d after %d", n.Number, h.last)
		}
		h.last = n.Number
	}
	if n := len(slices.DeleteFunc(slices.Clone(h.revisions), Revision.runs)); n > history+5 {
		t.Fatalf("%d records of revisions that do not run are kept: %v", n, names(p, kept))
	}
	for _, name := range Named(p.Status.Components[v1beta1.Predictor]) {
		if p.Revision(name) == nil {
			t.Fatalf("%s is in the status and not kept: %v", name, names(p, kept))
		}
	}
}

// checkPods: no Deployment goes before its last Pod.
func (h *historyCheck) checkPods(t testingT, before *world) {
	t.Helper()
	for _, was := range before.revisions {
		if is := h.revision(was.Number); was.runs() && (is == nil || !is.Deployed) {
			t.Fatalf("the Deployment of %s goes with its Pods: %+v", was.Name, was)
		}
	}
}

// checkDeployments: what may get requests at any moment has a Deployment.
func (h *historyCheck) checkDeployments(t testingT) {
	t.Helper()
	c := h.isvc.Status.Components[v1beta1.Predictor]
	needed := []string{c.LatestRolledoutRevision, c.PreviousRolledoutRevision}
	for _, share := range c.Traffic {
		needed = append(needed, share.RevisionName)
	}
	for _, r := range h.revisions {
		if slices.Contains(needed, r.Name) && !r.Deployed {
			t.Fatalf("%s has no Deployment: %+v", r.Name, c)
		}
		if !r.Deployed && !reflect.DeepEqual(r.Health, Health{}) {
			t.Fatalf("%s has Pods and no Deployment: %+v", r.Name, r)
		}
	}
}

// settle makes everything that is active ready: then the spec must be in
// effect as Simulate foresaw, and the service Ready, within a few decisions.
func (h *historyCheck) settle(t testingT) {
	_, foreseen := Simulate(h.input(), Edit{h.isvc.Spec.Predictor.CanaryTrafficPercent, h.target})
	var p Plan
	for range 3 {
		p = h.decide()
		for i := range h.revisions {
			if r := &h.revisions[i]; slices.Contains(names(p, active), r.Name) {
				r.Health = Health{}
				for range 3 {
					h.start(r, false, true, true)
				}
			}
		}
		old := h.isvc.Status.Components[v1beta1.Predictor]
		p = h.decide()
		h.checkRolledBack(t, p, old)
		h.starting = names(p, starting)
		if n := p.New(); n != nil {
			h.last = n.Number
		}
	}
	if h.target.Invalid != nil || h.isvc.Annotations[v1beta1.AnnotationStop] == "true" {
		return
	}
	want := int64(100)
	if c := h.isvc.Spec.Predictor.CanaryTrafficPercent; c != nil && len(weights(p)) == 2 {
		want = *c
	}
	n := p.Status.Components[v1beta1.Predictor].LatestCreatedRevision
	if weights(p)[0] != (weight{n, want}) {
		t.Fatalf("all is ready and %s does not have its %d%%: %+v", n, want, weights(p))
	}
	if diff := difference(weights(foreseen), weights(p)); diff != "" {
		t.Fatalf("the shares are not those of Simulate (-foreseen +became):\n%s", diff)
	}
	checkAllTrue(t, p, "all is ready")
	if h.min > 0 {
		return
	}
	h.sleep()
	asleep := h.decide()
	if diff := difference(weights(p), weights(asleep)); diff != "" || len(names(asleep, starting)) > 0 {
		t.Fatalf("all sleeps, %v start and the shares change (-awake +asleep):\n%s", names(asleep, starting), diff)
	}
	checkAllTrue(t, asleep, "all sleeps")
}

func checkAllTrue(t testingT, p Plan, when string) {
	t.Helper()
	for _, c := range p.Status.Conditions {
		if c.Status != metav1.ConditionTrue {
			t.Fatalf("%s and %s is %s: %s", when, c.Type, c.Status, c.Message)
		}
	}
}

// difference is cmp.Diff, which is slow, for values that are mostly equal.
func difference(want, got any) string {
	if reflect.DeepEqual(want, got) {
		return ""
	}
	return cmp.Diff(want, got)
}

// checkSettled: I3. Deciding twice changes nothing and records no event.
func checkSettled(t testingT, w *world) {
	t.Helper()
	p := Decide(w.input())
	if diff := difference(w.isvc.Status, p.Status); diff != "" {
		t.Fatalf("deciding again changes the status by rule %q (-first +again):\n%s", p.Rule, diff)
	}
	if p.New() != nil || len(p.Events) > 0 {
		t.Fatalf("deciding again creates %+v and records %+v", p.New(), p.Events)
	}
	for _, r := range w.revisions {
		planned := p.Revision(r.Name)
		switch {
		case planned == nil && len(p.Revisions) < history:
			t.Fatalf("deciding again drops %s", r.Name)
		case planned != nil && !planned.IdleSince.Equal(r.IdleSince):
			t.Fatalf("deciding again moves the idle time of %s from %s to %s", r.Name, r.IdleSince, planned.IdleSince)
		}
	}
}

// checkCrash: I8. Objects written and the status not, then a restart, ends
// where no crash would have.
func checkCrash(t testingT, before, after *world) {
	t.Helper()
	before.round(refused{status: true})
	before.decide()
	if diff := difference(after.isvc.Status, before.isvc.Status); diff != "" {
		t.Fatalf("a crash before the status was written changes it (-without +with):\n%s", diff)
	}
	if diff := difference(after.revisions, before.revisions); diff != "" {
		t.Fatalf("a crash before the status was written changes the revisions (-without +with):\n%s", diff)
	}
}

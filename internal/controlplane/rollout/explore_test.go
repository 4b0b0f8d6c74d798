// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"encoding/json"
	"flag"
	"maps"
	"slices"
	"testing"

	"github.com/serin-dev/serin/api/v1beta1"
)

// happening is a letter of the alphabet that histories are written in.
type happening struct {
	name string
	do   func(*historyCheck)
}

// alphabet is small but has a letter for each kind of thing that can happen:
// two models, one of them with its args lost, under each kind of c, and
// everything that Pods, people and the autoscaler do to a rollout.
func alphabet() []happening {
	var all []happening
	for _, m := range []struct{ name, model, args string }{
		{"model 1", "m1", "a"}, {"model 2", "m2", "a"}, {"model 2 without args", "m2", ""},
	} {
		for c, percent := range map[string]*int64{"": nil, " at 0%": new(int64(0)), " at 10%": new(int64(10))} {
			all = append(all, happening{"apply " + m.name + c, func(h *historyCheck) { h.apply(m.model, m.args, percent) }})
		}
	}
	slices.SortFunc(all, func(a, b happening) int { return map[bool]int{true: -1}[a.name < b.name] })
	return append(all,
		happening{"what is active becomes ready", func(h *historyCheck) { h.each(func(r *Revision) { r.Health = Health{Ready: max(1, h.min)} }) }},
		happening{"the newest loses its Pods", func(h *historyCheck) { h.lose(len(h.revisions) - 1) }},
		happening{"the oldest fails", func(h *historyCheck) {
			h.lose(0)
			if h.revisions[0].runs() {
				h.revisions[0].Failure = &v1beta1.FailureInfo{Reason: v1beta1.ModelLoadFailed, Message: "boom"}
			}
		}},
		happening{"what is idle goes to zero", func(h *historyCheck) {
			for i := range h.revisions {
				if r := &h.revisions[i]; !r.IdleSince.IsZero() {
					r.Health, r.Drained = Health{}, true
				}
			}
		}},
		happening{"minReplicas 0 or 1", func(h *historyCheck) { h.isvc.Generation++; h.min = 1 - h.min }},
		happening{"what may sleep sleeps", (*historyCheck).sleep},
		happening{"stop or resume", func(h *historyCheck) {
			h.annotate(v1beta1.AnnotationStop, h.isvc.Annotations[v1beta1.AnnotationStop] == "")
		}},
	)
}

// each changes the revisions that have to run.
func (h *historyCheck) each(change func(*Revision)) {
	for i := range h.revisions {
		if r := &h.revisions[i]; r.IdleSince.IsZero() && r.runs() {
			change(r)
		}
	}
}

func (h *historyCheck) lose(i int) { h.revisions[i].Health = Health{} }

var longest = flag.Int("longest", 6, "letters in the longest explored histories")

// TestInvariantsHoldInAllShortHistories plays every history of up to longest
// letters. Histories that lead to the same state have the same future, so it
// walks states, breadth first: 16^6 histories meet in some 3,400. With
// -longest=99 it ends, after a minute, when no letter leads to a new state:
// then the invariants hold in every history of this alphabet.
func TestInvariantsHoldInAllShortHistories(t *testing.T) {
	letters := alphabet()
	first := newHistoryCheck()
	first.apply("m1", "a", nil)
	first.step(t)
	type state struct {
		*historyCheck
		how []string
	}
	seen := map[string]bool{first.key(t): true}
	frontier := []state{{first, []string{"apply model 1"}}}
	depth := 0
	for ; depth < *longest && len(frontier) > 0; depth++ {
		var next []state
		for _, s := range frontier {
			for _, l := range letters {
				h, how := s.copy(), append(slices.Clip(s.how), l.name)
				l.do(h)
				h.step(inHistory{t, how})
				if key := h.key(t); !seen[key] {
					seen[key] = true
					h.copy().settle(inHistory{t, append(slices.Clip(how), "all is well")})
					next = append(next, state{h, how})
				}
			}
		}
		frontier = next
	}
	t.Logf("%d letters, histories of up to %d: %d states", len(letters), depth, len(seen))
}

func (h *historyCheck) copy() *historyCheck {
	c := *h
	c.world, c.rolledBack, c.unheld = h.clone(), maps.Clone(h.rolledBack), maps.Clone(h.unheld)
	return &c
}

// key is the same for states that have the same future.
func (h *historyCheck) key(t *testing.T) string {
	t.Helper()
	status := h.isvc.Status.DeepCopy()
	settled := status.ObservedGeneration == h.isvc.Generation
	status.ObservedGeneration = 0
	b, err := json.Marshal([]any{
		h.isvc.Annotations, h.isvc.Spec.Predictor.CanaryTrafficPercent, settled, status,
		h.target, h.revisions, h.idle, h.min, h.rolledBack, h.last, h.starting,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// inHistory fails with the history that led there.
type inHistory struct {
	*testing.T
	how []string
}

func (t inHistory) Fatalf(format string, args ...any) {
	t.Helper()
	t.T.Fatalf("after %q:\n"+format, append([]any{t.how}, args...)...)
}

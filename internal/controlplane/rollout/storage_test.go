// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"fmt"
	"maps"
	"slices"

	"pgregory.net/rapid"

	"github.com/serin-dev/serin/api/v1beta1"
)

// storage is where models lie, and what Pods make of that.
type storage struct {
	// content is that of every model now. People overwrite it.
	content string
	// models is the ConfigMap: by revision, the content that its Pods must get.
	models map[string]string
	// recorded is what the record of a revision has ever said.
	recorded map[string]string
	started  int // Pods
}

func newStorage() storage {
	return storage{content: "A", models: map[string]string{}, recorded: map[string]string{}}
}

func (s storage) clone() storage {
	s.models, s.recorded = maps.Clone(s.models), maps.Clone(s.recorded)
	return s
}

// overwrite changes the model behind every URI.
func (s *storage) overwrite() {
	s.content = string(rune((s.content[0]-'A'+1)%26 + 'A'))
}

// start starts a Pod of a revision. An early one read the ConfigMap before the
// digest was in there. A cached model need not be in the storage any more. Without
// a Deployment with replicas there are no Pods.
func (w *world) start(r *Revision, early, cached, ready bool) {
	if !r.runs() {
		return
	}
	content, told := w.content, w.models[r.Name]
	if told != "" && !early {
		if told != content && !cached {
			r.Failed++
			r.Failure = &v1beta1.FailureInfo{Location: r.Name + "-pod", Reason: v1beta1.ModelChanged, Message: "the model is another", ExitCode: v1beta1.ExitOtherModel}
			return
		}
		content = told
	}
	w.started++
	r.Fetched = append(slices.Clip(r.Fetched), Fetched{Pod: fmt.Sprintf("pod-%d", w.started), Digest: content, Ready: ready})
	if ready {
		r.Ready++
	}
}

// record writes the digests that a plan found.
func (w *world) record(p Plan, deny refused) (recorded bool, out []Refusal) {
	for i := range w.revisions {
		r := &w.revisions[i]
		planned := p.Revision(r.Name)
		switch {
		case planned == nil || planned.Found == "":
		case deny.digest:
			out = append(out, Refusal{Revision: r.Name, Message: "refused"})
		default:
			if was := w.recorded[r.Name]; was != "" {
				panic(fmt.Sprintf("the record of %s is written again: %s, before %s", r.Name, planned.Found, was))
			}
			r.Digest, w.recorded[r.Name], recorded = planned.Found, planned.Found, true
		}
	}
	return recorded, out
}

// tell writes the ConfigMap.
func (w *world) tell(p Plan, deny refused) []Refusal {
	models := map[string]string{}
	for _, r := range p.Revisions {
		if r.Digest != "" {
			models[r.Name] = r.Digest
		}
	}
	if maps.Equal(models, w.models) {
		return nil
	}
	if deny.models {
		return []Refusal{{Revision: p.Revisions[len(p.Revisions)-1].Name, Message: "refused"}}
	}
	w.models = models
	return nil
}

// deleteForeign deletes the Pods that serve another model than their revision.
func (w *world) deleteForeign(p Plan) {
	for i := range w.revisions {
		r := &w.revisions[i]
		var stay []Fetched
		for _, f := range r.Fetched {
			if !slices.Contains(p.Revision(r.Name).Foreign, f.Pod) {
				stay = append(stay, f)
			} else if f.Ready {
				r.Ready--
			}
		}
		r.Fetched = stay
	}
}

// drawPods gives a revision new Pods, instead of those that it has or besides
// them.
func (w *world) drawPods(t *rapid.T, r *Revision) {
	if rapid.Bool().Draw(t, "instead") {
		r.Health = Health{}
	}
	for range rapid.IntRange(1, 3).Draw(t, "Pods") {
		if rapid.Bool().Draw(t, "overwritten") {
			w.overwrite()
		}
		w.start(r, rapid.Bool().Draw(t, "early"), rapid.Bool().Draw(t, "cached"), rapid.Bool().Draw(t, "ready"))
	}
}

// serving are the contents with which the Pods of a revision answer: those that
// are ready and that the routers, who know the status, do not leave out.
func (w *world) serving(r *Revision) []string {
	c := w.isvc.Status.Components[v1beta1.Predictor]
	if !slices.ContainsFunc(c.Traffic, func(t v1beta1.TrafficTarget) bool { return t.RevisionName == r.Name }) {
		return nil
	}
	var out []string
	for _, f := range r.Fetched {
		if named := string(w.isvc.Status.ModelDigests[r.Name]); f.Ready && (named == "" || named == f.Digest) {
			out = append(out, f.Digest)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// shares are those of the stored status.
func (w *world) shares() []weight { return weights(Plan{Status: w.isvc.Status}) }

// checkContent: I9. All Pods of a revision that count or get requests serve the
// same content, and that is the recorded one.
func (h *historyCheck) checkContent(t testingT) {
	t.Helper()
	s := read(h.input())
	if s.mutable() || h.wasMutable {
		return
	}
	for i := range h.revisions {
		r := &h.revisions[i]
		if was := h.recorded[r.Name]; r.Digest != was {
			t.Fatalf("the recorded digest of %s changes from %s to %s", r.Name, was, r.Digest)
		}
		_, has := share(h.shares(), r.Name)
		if h.unheld[r.Name] = h.unheld[r.Name] || has && r.Digest == ""; h.unheld[r.Name] {
			continue
		}
		if all := h.serving(r); len(all) > 1 || len(all) == 1 && all[0] != r.Digest {
			t.Fatalf("%s is made of %q and serves %v: %+v", r.Name, r.Digest, all, r.Fetched)
		}
		want := r.Ready
		for _, f := range r.Fetched {
			if f.Ready && f.Digest != r.Digest {
				want--
			}
		}
		if got := s.revision(r.Name).Ready; got != want {
			t.Fatalf("%d Pods of %s count as ready, want %d: %+v", got, r.Name, want, r.Fetched)
		}
	}
}

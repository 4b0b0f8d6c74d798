// SPDX-License-Identifier: Apache-2.0

package rollout

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/api/v1beta1"
)

// TestRules has a row or two for each rule. Revision 1 serves
// model m1; 2 and 3 serve m2 with different arguments. What has traffic before
// is active until a status without it is stored.
func TestRules(t *testing.T) {
	const r1, r2, r3 = "iris-predictor-00001", "iris-predictor-00002", "iris-predictor-00003"
	c := func(percent int64) *int64 { return &percent }
	for name, tt := range map[string]struct {
		c       *int64
		n       int // the revision of the current spec
		ready   []int
		r, p    string // before
		traffic []weight
		stop    bool
		want    []weight
		wantR   string
		wantP   string
		rule    string
		active  []string
	}{
		"stopped: a stopped service": {
			n: 2, ready: []int{1, 2}, r: r2, p: r1, traffic: []weight{{r2, 100}}, stop: true,
			wantR: r2, wantP: r1, rule: "stopped", active: []string{r2},
		},
		"first revision starts: nothing was ever ready": {
			n: 1, rule: "first revision starts", active: []string{r1},
		},
		"first revision: the first revision is ready, c is ignored": {
			c: c(10), n: 1, ready: []int{1},
			want: []weight{{r1, 100}}, wantR: r1, rule: "first revision", active: []string{r1},
		},
		"roll back: rollback after a full rollout": {
			c: c(20), n: 2, ready: []int{1, 2}, r: r2, p: r1, traffic: []weight{{r2, 100}},
			want: []weight{{r2, 20}, {r1, 80}}, wantR: r1, wantP: r1, rule: "roll back", active: []string{r1, r2},
		},
		"roll back: the previous revision is cold": {
			c: c(0), n: 2, ready: []int{2}, r: r2, p: r1, traffic: []weight{{r2, 100}},
			want: []weight{{r2, 100}}, wantR: r2, wantP: r1, rule: "roll back", active: []string{r1, r2},
		},
		"pin previous model: pin the previous model while the new revision starts": {
			c: c(0), n: 3, ready: []int{1, 2}, r: r2, p: r1, traffic: []weight{{r2, 100}},
			want: []weight{{r1, 100}}, wantR: r1, wantP: r1, rule: "pin previous model", active: []string{r1, r2, r3},
		},
		"pin previous model: the previous model is cold": {
			c: c(0), n: 3, ready: []int{2, 3}, r: r2, p: r1, traffic: []weight{{r2, 100}},
			want: []weight{{r3, 0}, {r2, 100}}, wantR: r2, wantP: r1, rule: "pin previous model", active: []string{r1, r2, r3},
		},
		"pin previous model: not when the canary has one percent": {
			c: c(1), n: 3, ready: []int{1, 2, 3}, r: r2, p: r1, traffic: []weight{{r2, 100}},
			want: []weight{{r3, 1}, {r2, 99}}, wantR: r2, wantP: r1, rule: "canary", active: []string{r2, r3},
		},
		"nothing to split: c below 100 with no previous revision": {
			c: c(0), n: 1, ready: []int{1}, r: r1, traffic: []weight{{r1, 100}},
			want: []weight{{r1, 100}}, wantR: r1, rule: "nothing to split", active: []string{r1},
		},
		"nothing to split: after a rollback to the same manifest": {
			c: c(0), n: 1, ready: []int{1, 2}, r: r1, p: r1, traffic: []weight{{r1, 100}},
			want: []weight{{r1, 100}}, wantR: r1, wantP: r1, rule: "nothing to split", active: []string{r1},
		},
		"roll out: promotion": {
			n: 2, ready: []int{1, 2}, r: r1, traffic: []weight{{r2, 10}, {r1, 90}},
			want: []weight{{r2, 100}}, wantR: r2, wantP: r1, rule: "roll out", active: []string{r1, r2},
		},
		"roll out: promotion with c 100": {
			c: c(100), n: 2, ready: []int{1, 2}, r: r1, traffic: []weight{{r2, 10}, {r1, 90}},
			want: []weight{{r2, 100}}, wantR: r2, wantP: r1, rule: "roll out", active: []string{r1, r2},
		},
		"rollout waits: a rollout waits for its revision": {
			n: 2, ready: []int{1}, r: r1, traffic: []weight{{r1, 100}},
			want: []weight{{r1, 100}}, wantR: r1, rule: "rollout waits", active: []string{r1, r2},
		},
		"canary: it is ready": {
			c: c(10), n: 2, ready: []int{1, 2}, r: r1, traffic: []weight{{r1, 100}},
			want: []weight{{r2, 10}, {r1, 90}}, wantR: r1, rule: "canary", active: []string{r1, r2},
		},
		"canary: a canary of nothing keeps its replicas": {
			c: c(0), n: 2, ready: []int{1, 2}, r: r1, traffic: []weight{{r1, 100}},
			want: []weight{{r2, 0}, {r1, 100}}, wantR: r1, rule: "canary", active: []string{r1, r2},
		},
		"canary waits: a canary waits, the superseded one gets nothing": {
			c: c(10), n: 3, ready: []int{1, 2}, r: r1, traffic: []weight{{r2, 10}, {r1, 90}},
			want: []weight{{r1, 100}}, wantR: r1, rule: "canary waits", active: []string{r1, r2, r3},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld()
			for i, model := range []string{"m1", "m2", "m2"} {
				w.revisions = append(w.revisions, Revision{
					Name: []string{r1, r2, r3}[i], Number: i + 1, Hash: []string{"h1", "h2", "h3"}[i], Model: model,
				})
			}
			for _, n := range tt.ready {
				w.revision(n).Ready = 1
			}
			w.isvc.Spec.Predictor.CanaryTrafficPercent = tt.c
			w.annotate(v1beta1.AnnotationStop, tt.stop)
			n := w.revision(tt.n)
			w.target = Target{Hash: n.Hash, Model: n.Model}
			status := v1beta1.ComponentStatus{LatestRolledoutRevision: tt.r, PreviousRolledoutRevision: tt.p}
			for _, t := range tt.traffic {
				status.Traffic = append(status.Traffic, v1beta1.TrafficTarget{RevisionName: t.Revision, Percent: &t.Percent})
			}
			w.isvc.Status.Components = map[v1beta1.Component]v1beta1.ComponentStatus{v1beta1.Predictor: status}

			type outcome struct {
				Rule, R, P string
				Weights    []weight
				Active     []string
			}
			p := Decide(w.input())
			got := p.Status.Components[v1beta1.Predictor]
			if diff := cmp.Diff(
				outcome{tt.rule, tt.wantR, tt.wantP, tt.want, tt.active},
				outcome{p.Rule, got.LatestRolledoutRevision, got.PreviousRolledoutRevision, weights(p), names(p, active)},
			); diff != "" {
				t.Errorf("%s (-want +got):\n%s", p.Why, diff)
			}
		})
	}
}

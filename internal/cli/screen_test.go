// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"errors"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"charm.land/lipgloss/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/serin-dev/serin/api/v1beta1"
	"github.com/serin-dev/serin/internal/controlplane/action"
	"github.com/serin-dev/serin/internal/controlplane/rollout"
	"github.com/serin-dev/serin/internal/report"
	"github.com/serin-dev/serin/internal/testkit/golden"
)

// canaryRollout is a canary of 10%.
func canaryRollout() *action.Rollout {
	ten, ninety := int64(10), int64(90)
	r := &action.Rollout{
		Service: &v1beta1.InferenceService{ObjectMeta: metav1.ObjectMeta{Name: "sklearn-iris", Namespace: "kserve-test"}},
		Revisions: []action.Revision{
			{Revision: rollout.Revision{Name: "sklearn-iris-predictor-00001", Number: 1, Health: rollout.Health{Ready: 2}, Deployed: true, Model: "sklearn gs://b/m1"}, State: action.RolledOut, Share: &ninety, Wanted: 2},
			{Revision: rollout.Revision{Name: "sklearn-iris-predictor-00002", Number: 2, Health: rollout.Health{Ready: 1}, Deployed: true, Model: "sklearn gs://b/m2"}, State: action.Canary, Share: &ten, Wanted: 1},
		},
	}
	r.Service.Spec.Predictor.CanaryTrafficPercent = &ten
	r.Service.Status = v1beta1.InferenceServiceStatus{
		URL:        "http://sklearn-iris.kserve-test.example.com",
		Conditions: []v1beta1.Condition{{Type: v1beta1.ConditionReady, Status: metav1.ConditionTrue}},
	}
	r.RolledOut, r.Current = &r.Revisions[0], &r.Revisions[1]
	return r
}

// minute is a minute of growing load, with some errors of the canary.
func minute(s screen, r *action.Rollout) screen {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	answers := func(requests, errors float64) report.Answers {
		count := func(n float64) int64 { return int64(math.Round(n)) }
		return report.Answers{Count: count(requests), Errors: count(errors), Durations: []report.Bucket{
			{Seconds: .005, Count: count(.5 * requests)}, {Seconds: .01, Count: count(.9 * requests)}, {Seconds: .025, Count: count(requests)},
		}}
	}
	requests := 0.
	for i := range 61 {
		requests += float64(100 + 5*i + 40*(i%7))
		s = s.after(observation{
			at: start.Add(time.Duration(i) * time.Second), rollout: r, events: []string{
				"    12s  RevisionCreated: Created revision sklearn-iris-predictor-00002",
				"!    9s  ModelLoadFailed: Revision sklearn-iris-predictor-00002: not a scikit-learn model",
				"     2s  CanaryStarted: Canary started: 10% sklearn-iris-predictor-00002, 90% sklearn-iris-predictor-00001",
			},
			sample: sample{start.Add(time.Duration(i) * time.Second), map[string]map[string]report.Answers{"router": {
				"sklearn-iris-predictor-00001": answers(.9*requests, 0), "sklearn-iris-predictor-00002": answers(.1*requests, .001*requests),
			}}},
		})
	}
	return s
}

func TestScreen(t *testing.T) {
	first := canaryRollout()
	first.Revisions = first.Revisions[:1]
	first.Revisions[0].State, first.Revisions[0].Share = action.Starting, nil
	first.Revisions[0].Ready = 0
	first.Current, first.RolledOut = &first.Revisions[0], nil
	first.Service.Status.Conditions = nil
	noMetrics := func(r *action.Rollout) screen {
		return screen{}.after(observation{rollout: r, sampleErr: noRouter("serin-system")})
	}
	for name, s := range map[string]screen{
		"canary-80x24":  minute(screen{width: 80, height: 24}, canaryRollout()),
		"canary-120x40": minute(screen{width: 120, height: 40}, canaryRollout()),
		"canary-50x14":  minute(screen{width: 50, height: 14}, canaryRollout()),
		"colors":        minute(screen{width: 80, height: 24, color: true}, canaryRollout()),
		"no-metrics":    noMetrics(canaryRollout()),
		"first":         noMetrics(first),
		"api-is-away":   minute(screen{width: 80, height: 24}, canaryRollout()).after(observation{err: errors.New("no answer from https://127.0.0.1:6443: is Serin running?")}),
	} {
		t.Run(name, func(t *testing.T) {
			got := s.String()
			width, height := 80, 24
			if s.width > 0 {
				width, height = s.width, s.height
			}
			if h := lipgloss.Height(got); h != height {
				t.Errorf("%d lines on a screen of %d", h, height)
			}
			if w := lipgloss.Width(got); w > width {
				t.Errorf("%d columns on a screen of %d", w, width)
			}
			golden.File(t, filepath.Join("testdata", name+".screen"), trimmed(got))
		})
	}
}

// Whatever its size, a screen is no larger.
func TestScreenFits(t *testing.T) {
	for width := 1; width < 100; width += 3 {
		for height := 1; height < 40; height += 3 {
			got := minute(screen{width: width, height: height}, canaryRollout()).String()
			if w, h := lipgloss.Width(got), lipgloss.Height(got); w > width || h > height {
				t.Errorf("%dx%d on a screen of %dx%d:\n%s", w, h, width, height, got)
			}
		}
	}
}

// trimmed is text without blanks at the ends of its lines, for files.
func trimmed(s string) string {
	var out strings.Builder
	for line := range strings.Lines(s) {
		out.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return out.String()
}

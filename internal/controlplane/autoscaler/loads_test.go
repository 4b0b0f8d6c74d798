// SPDX-License-Identifier: Apache-2.0

package autoscaler

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/internal/controlplane/scale"
	"github.com/serin-dev/serin/internal/report"
)

var iris = types.NamespacedName{Namespace: "n", Name: "iris-deployment"}

// told is a line of a router about the revision iris.
func told(inFlight int, seconds float64, requests int) report.Line {
	return report.Line{Revisions: []report.Revision{{
		Namespace: "n", Name: "iris", InFlight: inFlight, Seconds: seconds, Requests: requests,
	}}}
}

// wanted is what loads make of an active revision with one ready replica that
// may have none, where ten requests at a time are one replica's load.
func wanted(t *testing.T, l *loads, now time.Time) scale.Plan {
	t.Helper()
	s, err := scale.Read(map[string]string{
		"autoscaling.knative.dev/window": "10s", "autoscaling.knative.dev/target": "10", "autoscaling.knative.dev/target-utilization-percentage": "100",
	})
	if err != nil {
		t.Fatal(err)
	}
	return l.decide(iris, scale.Input{Active: true, Replicas: 1, Ready: 1, Settings: s, Now: now})
}

func TestLoads(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	type line struct {
		at     float64
		router string
		report report.Line
		lost   bool
		leaves bool // it has no name any more
	}
	for name, tt := range map[string]struct {
		lines []line
		now   float64
		want  scale.Plan
	}{
		"a router's first line tells only where the sums start": {
			[]line{{at: 0, router: "a", report: told(0, 1000, 50)}},
			0,
			scale.Plan{Replicas: 1, Why: "the last replica stays for a while"},
		},
		"the average is over the window": {
			[]line{{at: 0, router: "a", report: told(0, 0, 0)}, {at: 10, router: "a", report: told(0, 195, 10)}},
			10,
			scale.Plan{Replicas: 2, Why: "panic"},
		},
		"a revision that comes later started from nothing": {
			[]line{{at: 0, router: "a", report: report.Line{}}, {at: 10, router: "a", report: told(0, 195, 10)}},
			10,
			scale.Plan{Replicas: 2, Why: "panic"},
		},
		"several routers add up": {
			[]line{{at: 0, router: "a", report: told(0, 0, 0)}, {at: 0, router: "b", report: told(0, 500, 0)}, {at: 10, router: "a", report: told(0, 195, 10)}, {at: 10, router: "b", report: told(0, 645, 10)}},
			10,
			scale.Plan{Replicas: 4, Why: "panic"},
		},
		"sums that became less started anew": {
			[]line{{at: 0, router: "a", report: told(0, 1000, 50)}, {at: 10, router: "a", report: told(0, 195, 10)}},
			10,
			scale.Plan{Replicas: 2, Why: "panic"},
		},
		"silence lets the last replica go": {
			[]line{{at: 0, router: "a", report: told(0, 0, 0)}, {at: 1, router: "a", report: told(0, 1, 1)}, {at: 12, router: "a", report: report.Line{}}},
			12,
			scale.Plan{Replicas: 0, Why: "load"},
		},
		"not while any router has a request": {
			[]line{{at: 0, router: "a", report: told(0, 0, 0)}, {at: 0, router: "b", report: told(1, 0, 0)}, {at: 20, router: "a", report: report.Line{}}, {at: 20, router: "b", report: told(1, 0, 1)}},
			20,
			scale.Plan{Replicas: 1, Why: "requests are in flight"},
		},
		"nor while one has that leaves": {
			[]line{{at: 0, router: "a", report: told(0, 0, 0)}, {at: 0, router: "b", report: told(1, 0, 0)}, {at: 5, router: "b", leaves: true}, {at: 20, router: "b", report: told(1, 0, 1)}, {at: 20, router: "a", report: report.Line{}}},
			20,
			scale.Plan{Replicas: 1, Why: "requests are in flight"},
		},
		"one that left is no longer waited for": {
			[]line{{at: 0, router: "a", report: told(0, 0, 0)}, {at: 0, router: "b", report: told(1, 0, 0)}, {at: 5, router: "b", leaves: true}, {at: 6, router: "b", lost: true}, {at: 20, router: "a", report: report.Line{}}},
			20,
			scale.Plan{Replicas: 0, Why: "load"},
		},
		"nor while a router is not heard": {
			[]line{{at: 0, router: "a", report: told(0, 0, 0)}, {at: 0, router: "b", report: told(1, 0, 0)}, {at: 10, router: "b", lost: true}, {at: 100, router: "a", report: report.Line{}}},
			100,
			scale.Plan{Replicas: 1, Why: "the load was not watched for a whole window yet"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLoads(true)
			routers := map[string]bool{}
			for _, line := range tt.lines {
				routers[line.router] = true
			}
			l.expect(routers, start)
			wanted(t, l, start)
			for _, line := range tt.lines {
				switch {
				case line.lost:
					l.disconnected(line.router)
				case line.leaves:
					delete(routers, line.router)
					l.expect(routers, at(line.at))
				default:
					l.record(line.router, at(line.at), line.report)
				}
			}
			got := wanted(t, l, at(tt.now))
			if diff := cmp.Diff(tt.want, got, cmpopts.IgnoreFields(scale.Plan{}, "State", "Again")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadsOfARevisionThatIsGoneAreForgotten(t *testing.T) {
	l := newLoads(true)
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	l.expect(map[string]bool{"a": true}, now)
	l.record("a", now, told(1, 5, 5))
	wanted(t, l, now)
	l.forget(iris)
	if len(l.revisions) != 0 || len(l.routers["a"].sums) != 0 {
		t.Errorf("left: %+v, %+v", l.revisions, l.routers["a"].sums)
	}
}

// SPDX-License-Identifier: Apache-2.0

package autoscaler

import (
	"encoding/json"
	"math/rand/v2"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/internal/report"
	"github.com/serin-dev/serin/internal/testkit/hostile"
)

const validDeployment = `{apiVersion: apps/v1, kind: Deployment, metadata: {name: iris-predictor-00001-deployment, namespace: team,
annotations: {serin.dev/active: "true", serin.dev/idle-since: "2026-01-01T00:00:00Z", serin.dev/min-replicas: "1", serin.dev/max-replicas: "3",
  autoscaling.knative.dev/target: "10", autoscaling.knative.dev/window: 60s, autoscaling.knative.dev/panic-window-percentage: "10", autoscaling.knative.dev/panic-threshold-percentage: "200",
  autoscaling.knative.dev/scale-down-delay: 0s, autoscaling.knative.dev/activation-scale: "1", autoscaling.knative.dev/metric: rps, autoscaling.knative.dev/target-utilization-percentage: "70"}},
spec: {replicas: 1}, status: {readyReplicas: 1}}`

const validReport = `{revisions: [{namespace: team, revision: iris-predictor-00001, inFlight: 3, seconds: 12.5, requests: 40}, {namespace: team, revision: other-predictor-00001, inFlight: 1, seconds: 1, requests: 1}]}`

// scaleHostile decides about notes and loads that strangers may have written.
// Another revision has its replicas all the same.
func scaleHostile(t *testing.T, seed uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 3)) //nolint:gosec // a test's
	mutated := func(text string, into any) bool {
		var tree map[string]any
		if err := yaml.Unmarshal([]byte(text), &tree); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(hostile.Mutate(rng, tree))
		if err != nil {
			t.Fatal(err)
		}
		return json.Unmarshal(b, into) == nil
	}
	now := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	l := newLoads(true)
	l.expect(map[string]bool{"a": true}, now)
	for range 5 {
		now = now.Add(time.Duration(rng.IntN(100)) * time.Second)
		var report report.Line
		if mutated(validReport, &report) {
			l.record("a", now, report)
		}
		var d, other appsv1.Deployment
		if mutated(validDeployment, &d) {
			if _, err := onlyScale(&d); err != nil {
				t.Fatal(err)
			}
			if in, err := input(&d, now); err == nil {
				plan := l.decide(types.NamespacedName{Namespace: "team", Name: "iris-predictor-00001-deployment"}, in)
				if plan.Replicas < 0 || plan.Again < 0 || plan.Again > 3*time.Hour || in.Max > 0 && in.Active && plan.Replicas > max(in.Max, in.Min) {
					t.Errorf("%+v of %+v", plan, in)
				}
			}
		}
		if err := yaml.Unmarshal([]byte(validDeployment), &other); err != nil {
			t.Fatal(err)
		}
		in, _ := input(&other, now)
		if plan := l.decide(types.NamespacedName{Namespace: "team", Name: "other-predictor-00001-deployment"}, in); plan.Replicas < 1 || plan.Replicas > 3 {
			t.Errorf("another revision of 1 to 3 replicas: %+v", plan)
		}
	}
}

func TestHostileNotesAndLoads(t *testing.T) {
	for seed := range uint64(300) {
		if scaleHostile(t, seed); t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzHostileNotesAndLoads(f *testing.F) {
	f.Add(uint64(0))
	f.Fuzz(scaleHostile)
}

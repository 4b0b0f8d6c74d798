// SPDX-License-Identifier: Apache-2.0

package router

import (
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"

	"github.com/serin-dev/serin/internal/dataplane/routing"
	"github.com/serin-dev/serin/internal/testkit/hostile"
)

const validService = `{apiVersion: serving.kserve.io/v1beta1, kind: InferenceService,
metadata: {name: iris, namespace: team, uid: u1, resourceVersion: "7", creationTimestamp: "2026-01-01T00:00:00Z", labels: {networking.knative.dev/visibility: ""}, annotations: {serin.dev/sticky: "header:X-User"}},
spec: {predictor: {timeout: 60, containerConcurrency: 2, labels: {networking.kserve.io/visibility: ""}, model: {modelFormat: {name: sklearn}}}},
status: {url: "http://iris.team.example.com", conditions: [{type: Ready, status: "True"}], components: {predictor: {url: "http://iris-predictor.team.example.com", latestRolledoutRevision: iris-predictor-00001, traffic: [
{revisionName: iris-predictor-00002, percent: 10, tag: latest, url: "http://latest-iris-predictor.team.example.com"}, {revisionName: iris-predictor-00001, percent: 90, tag: prev}]}}}}`

const validPod = `{apiVersion: v1, kind: Pod, metadata: {name: iris-1, namespace: team, uid: p1, annotations: {serin.dev/concurrency: "2"}, labels: {serving.knative.dev/revision: iris-predictor-00001, serving.kserve.io/inferenceservice: iris},
ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: iris-predictor-00001-deployment-5d4f, uid: r, controller: true}]},
spec: {containers: [{name: kserve-container}, {name: queue-proxy, args: ["--port=8012", "--concurrency=2"]}]},
status: {podIP: 10.1.2.3, phase: Running, conditions: [{type: Ready, status: "True"}]}}`

func decoded(tb testing.TB, text string) map[string]any {
	tb.Helper()
	var out map[string]any
	if err := yaml.Unmarshal([]byte(text), &out); err != nil {
		tb.Fatal(err)
	}
	return out
}

// watchHostile takes what a stranger may have stored through all that the
// router does with it, beside a service that must go on.
func watchHostile(t *testing.T, seed uint64) {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // a test's
	r := newRouter(Config{Domain: "example.com", Log: slog.New(slog.DiscardHandler)})
	good := routing.Service{Namespace: "other", Name: "good", Traffic: []routing.Share{{Revision: "good-predictor-00001", Percent: 100}}}
	if err := r.mirror.services.Add(&slim[service]{ObjectMeta: metav1.ObjectMeta{Namespace: good.Namespace, Name: good.Name}, part: &service{Service: good}}); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		raw, err := json.Marshal(hostile.Mutate(rng, decoded(t, validService)))
		if err != nil {
			t.Fatal(err)
		}
		podJSON, err := json.Marshal(hostile.Mutate(rng, decoded(t, validPod)))
		if err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s, err := decodeService(raw)
		if err == nil {
			err = r.mirror.services.Update(s.slim())
		}
		if err != nil {
			t.Errorf("%v:\n%.2000s", err, raw)
		}
		p := &corev1.Pod{}
		if json.Unmarshal(podJSON, p) == nil {
			if err := r.mirror.pods.Update(p); err != nil {
				t.Errorf("%v:\n%.2000s", err, podJSON)
			}
		}
		r.change(r.mirror.take())
		table := r.view.Load().table
		runtime.ReadMemStats(&after)
		if spent := after.TotalAlloc - before.TotalAlloc; spent > uint64(100*(len(raw)+len(podJSON))+1<<20) {
			t.Errorf("%d bytes for objects of %d:\n%.2000s\n%.2000s", spent, len(raw)+len(podJSON), raw, podJSON)
		}
		if broken := table.Broken(); len(broken) > 0 {
			t.Errorf("%s:\n%.2000s", broken[0].Broken, raw)
		}
		for _, host := range []string{"iris.team.example.com", "latest-iris-predictor.team", "prev-iris-predictor-.team"} {
			for _, local := range []bool{false, true} {
				if c, err := table.Route(routing.Request{Host: host, Inside: local, Header: func(string) string { return "" }}); err == nil {
					c.Revision.Endpoint(time.Unix(0, 0))
				}
			}
		}
		c, err := table.Route(routing.Request{Host: "good.other.example.com", Header: func(string) string { return "" }})
		if err != nil || c.Revision.Name != "good-predictor-00001" {
			t.Fatalf("the other service answers %v, %v beside\n%.2000s", c, err, raw)
		}
	}
}

func TestHostileObjects(t *testing.T) {
	for seed := range uint64(400) {
		watchHostile(t, seed)
	}
}

func FuzzHostileObjects(f *testing.F) {
	f.Add(uint64(0))
	f.Fuzz(watchHostile)
}

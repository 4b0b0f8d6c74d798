// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic/fake"

	"github.com/serin-dev/serin/internal/controlplane/action"
	"github.com/serin-dev/serin/internal/controlplane/rollout"
	"github.com/serin-dev/serin/internal/report"
)

const routerReport = `{"revisions":[
{"namespace":"ns","revision":"r1","inFlight":0,"seconds":1,"requests":100,"answers":{"count":100,"errors":10,"durations":[{"seconds":0.01,"count":80},{"seconds":0.1,"count":100}]}}
]}
`

func TestSample(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.String() != "/load?answers=ns" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(routerReport))
	}))
	defer s.Close()
	c := &cluster{namespace: "ns", endpoints: Endpoints{Metrics: s.URL}}
	got, err := c.sample(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r1 := got.total("r1")
	if r1.Count != 100 || r1.Errors != 10 || len(got.routers) != 1 {
		t.Errorf("counted %+v", got.routers)
	}
	if got := quantile(r1, .95); got.Round(time.Millisecond) != 78*time.Millisecond { // 3/4 between 10 and 100 ms
		t.Errorf("95%% took at most %s", got)
	}
}

// Of a cluster all routers' numbers are added up.
func TestSampleOfACluster(t *testing.T) {
	client := podClient(apiWithPods(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Host + r.URL.Path {
		case "a.serin-system:8081/load", "b.serin-system:8081/load":
			_, _ = w.Write([]byte(routerReport))
		default:
			http.NotFound(w, r)
		}
	})))
	defer client.CloseIdleConnections()
	router := func(namespace, name, ready string) runtime.Object {
		return &unstructured.Unstructured{Object: map[string]any{
			"apiVersion": "v1", "kind": "Pod",
			"metadata": map[string]any{"namespace": namespace, "name": name, "labels": map[string]any{"app.kubernetes.io/name": "serin-router"}},
			"status":   map[string]any{"conditions": []any{map[string]any{"type": "Ready", "status": ready}}},
		}}
	}
	pods := map[schema.GroupVersionResource]string{{Version: "v1", Resource: "pods"}: "PodList"}
	c := &cluster{
		namespace: "ns", routers: "serin-system", pods: client,
		client: fake.NewSimpleDynamicClientWithCustomListKinds(runtime.NewScheme(), pods,
			router("serin-system", "a", "True"), router("serin-system", "b", "True"), router("serin-system", "c", "False"), router("ns", "stranger", "True")),
	}
	got, err := c.sample(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r1 := got.total("r1")
	if r1.Count != 200 || r1.Errors != 20 || quantile(r1, .95).Round(time.Millisecond) != 78*time.Millisecond {
		t.Errorf("counted %+v", got.routers)
	}
}

func TestSampleSaysWhyNot(t *testing.T) {
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	defer broken.Close()
	nothing := httptest.NewServer(http.NotFoundHandler())
	defer nothing.Close()
	for endpoint, want := range map[string]string{
		"":          "no router found",
		broken.URL:  "invalid character",
		nothing.URL: "404",
	} {
		_, err := (&cluster{endpoints: Endpoints{Metrics: endpoint}}).sample(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", endpoint, err, want)
		}
	}
}

func TestRates(t *testing.T) {
	buckets := func(fast, all int64) []report.Bucket {
		return []report.Bucket{{Seconds: .01, Count: fast}, {Seconds: .1, Count: all}}
	}
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var revisions []action.Revision
	for _, name := range []string{"old", "new", "gone"} {
		revisions = append(revisions, action.Revision{Revision: rollout.Revision{Name: name}})
	}
	for name, tt := range map[string]struct {
		before, after map[string]report.Answers
		want          map[string]rate
	}{
		"two revisions": {
			before: map[string]report.Answers{"old": {Count: 100, Durations: buckets(100, 100)}, "new": {}},
			after: map[string]report.Answers{
				"old": {Count: 190, Durations: buckets(190, 190)},
				"new": {Count: 10, Errors: 1, Durations: buckets(0, 10)},
			},
			want: map[string]rate{
				"old": {PerSecond: 9, Share: .9, P95: 9500 * time.Microsecond},
				"new": {PerSecond: 1, Share: .1, Errors: .1, P95: 95500 * time.Microsecond},
			},
		},
		"the router started anew": {
			before: map[string]report.Answers{"old": {Count: 1000, Durations: buckets(1000, 1000)}},
			after:  map[string]report.Answers{"old": {Count: 20, Durations: buckets(20, 20)}},
			want:   map[string]rate{"old": {PerSecond: 2, Share: 1, P95: 9500 * time.Microsecond}},
		},
		"nobody asks": {
			before: map[string]report.Answers{"old": {Count: 5, Durations: buckets(5, 5)}},
			after:  map[string]report.Answers{"old": {Count: 5, Durations: buckets(5, 5)}},
			want:   map[string]rate{"old": {}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			// A second router that nobody uses, and a third that is new, change nothing.
			before := map[string]map[string]report.Answers{"a": tt.before, "b": {"old": {Count: 9}}}
			after := map[string]map[string]report.Answers{"a": tt.after, "b": {"old": {Count: 9}}, "c": {}}
			got := rates(sample{at, before}, sample{at.Add(10 * time.Second), after}, revisions)
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateApprox(1e-9, 0)); diff != "" {
				t.Errorf("rates (-want +got):\n%s", diff)
			}
		})
	}
}

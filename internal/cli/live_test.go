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

	"github.com/serin-dev/serin/internal/action"
	"github.com/serin-dev/serin/internal/rollout"
)

const routerMetrics = `
# TYPE serin_router_requests_total counter
serin_router_requests_total{code="2xx",namespace="ns",revision="r1"} 90
serin_router_requests_total{code="5xx",namespace="ns",revision="r1"} 10
serin_router_requests_total{code="2xx",namespace="other",revision="r1"} 7
# TYPE serin_router_request_duration_seconds histogram
serin_router_request_duration_seconds_bucket{namespace="ns",revision="r1",le="0.01"} 80
serin_router_request_duration_seconds_bucket{namespace="ns",revision="r1",le="0.1"} 100
serin_router_request_duration_seconds_bucket{namespace="ns",revision="r1",le="+Inf"} 100
serin_router_request_duration_seconds_sum{namespace="ns",revision="r1"} 1
serin_router_request_duration_seconds_count{namespace="ns",revision="r1"} 100
# TYPE serin_router_held gauge
serin_router_held 0
`

func TestScrape(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/metrics" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(routerMetrics))
	}))
	defer s.Close()
	c := &cluster{namespace: "ns", endpoints: Endpoints{Metrics: s.URL}}
	got, err := c.scrape(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r1 := got.total("r1")
	if r1.requests != 100 || r1.errors != 10 || len(got.routers) != 1 {
		t.Errorf("counted %+v", got.routers)
	}
	if got := r1.quantile(.95); got.Round(time.Millisecond) != 78*time.Millisecond { // 3/4 between 10 and 100 ms
		t.Errorf("95%% took at most %s", got)
	}
}

// Of a cluster all routers' numbers are added up.
func TestScrapeOfACluster(t *testing.T) {
	client := podClient(apiWithPods(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Host + r.URL.Path {
		case "a.serin-system:8081/metrics", "b.serin-system:8081/metrics":
			_, _ = w.Write([]byte(routerMetrics))
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
	got, err := c.scrape(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r1 := got.total("r1")
	if r1.requests != 200 || r1.errors != 20 || r1.quantile(.95).Round(time.Millisecond) != 78*time.Millisecond {
		t.Errorf("counted %+v", got.routers)
	}
}

func TestScrapeSaysWhyNot(t *testing.T) {
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	defer broken.Close()
	nothing := httptest.NewServer(http.NotFoundHandler())
	defer nothing.Close()
	for endpoint, want := range map[string]string{
		"":          "no router found",
		broken.URL:  "parsing error",
		nothing.URL: "404",
	} {
		_, err := (&cluster{endpoints: Endpoints{Metrics: endpoint}}).scrape(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", endpoint, err, want)
		}
	}
}

func TestRates(t *testing.T) {
	buckets := func(fast, all float64) []bucket { return []bucket{{.01, fast}, {.1, all}} }
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var revisions []action.Revision
	for _, name := range []string{"old", "new", "gone"} {
		revisions = append(revisions, action.Revision{Revision: rollout.Revision{Name: name}})
	}
	for name, tt := range map[string]struct {
		before, after map[string]counts
		want          map[string]rate
	}{
		"two revisions": {
			before: map[string]counts{"old": {requests: 100, buckets: buckets(100, 100)}, "new": {}},
			after: map[string]counts{
				"old": {requests: 190, buckets: buckets(190, 190)},
				"new": {requests: 10, errors: 1, buckets: buckets(0, 10)},
			},
			want: map[string]rate{
				"old": {PerSecond: 9, Share: .9, P95: 9500 * time.Microsecond},
				"new": {PerSecond: 1, Share: .1, Errors: .1, P95: 95500 * time.Microsecond},
			},
		},
		"the router started anew": {
			before: map[string]counts{"old": {requests: 1000, buckets: buckets(1000, 1000)}},
			after:  map[string]counts{"old": {requests: 20, buckets: buckets(20, 20)}},
			want:   map[string]rate{"old": {PerSecond: 2, Share: 1, P95: 9500 * time.Microsecond}},
		},
		"nobody asks": {
			before: map[string]counts{"old": {requests: 5, buckets: buckets(5, 5)}},
			after:  map[string]counts{"old": {requests: 5, buckets: buckets(5, 5)}},
			want:   map[string]rate{"old": {}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			// A second router that nobody uses, and a third that is new, change nothing.
			before := map[string]map[string]counts{"a": tt.before, "b": {"old": {requests: 9}}}
			after := map[string]map[string]counts{"a": tt.after, "b": {"old": {requests: 9}}, "c": {}}
			got := rates(sample{at, before}, sample{at.Add(10 * time.Second), after}, revisions)
			if diff := cmp.Diff(tt.want, got, cmpopts.EquateApprox(1e-9, 0)); diff != "" {
				t.Errorf("rates (-want +got):\n%s", diff)
			}
		})
	}
}

// SPDX-License-Identifier: Apache-2.0

package router

import (
	"fmt"
	"log/slog"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/serin-dev/serin/internal/dataplane/routing"
)

// The reference lists the metrics that there are.
func TestReferenceListsMetrics(t *testing.T) {
	descs := make(chan *prometheus.Desc, 100)
	newRouter(Config{Log: slog.New(slog.DiscardHandler)}).metrics.registry.Describe(descs)
	close(descs)
	parts := regexp.MustCompile(`fqName: "(.*)", help: "(.*)", unit: .*, variableLabels: {(.*)}}$`)
	var want []string
	for d := range descs {
		m := parts.FindStringSubmatch(d.String())
		if m == nil {
			t.Fatalf("not understood: %s", d)
		}
		want = append(want, fmt.Sprintf("| `%s` | %s | %s |", m[1], strings.ReplaceAll(m[3], ",", ", "), m[2]))
	}
	slices.Sort(want)
	text, err := os.ReadFile("../../../docs/reference/router.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "\n## Metrics\n")
	var got []string
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "| `") {
			got = append(got, strings.TrimSpace(line))
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// A namespace's refusals are known for as long as it has a service, also while none of
// its services has a revision.
func TestRefusalsOfANamespaceAreCounted(t *testing.T) {
	r := newRouter(Config{Domain: "example.com", Log: slog.New(slog.DiscardHandler)})
	refused := func() map[string]float64 {
		out := map[string]float64{}
		for range 2 { // the first may be the last that shows what is gone
			families, err := r.metrics.registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			clear(out)
			for _, f := range families {
				if f.GetName() == "serin_router_held_refused_total" {
					for _, m := range f.GetMetric() {
						out[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
					}
				}
			}
		}
		return out
	}
	r.use(routing.Input{Services: []routing.Service{{Namespace: "team", Name: "iris"}}})
	r.metrics.refuseWaiter("team")
	if diff := cmp.Diff(map[string]float64{"team": 1}, refused()); diff != "" {
		t.Error(diff)
	}
	r.use(routing.Input{})
	if diff := cmp.Diff(map[string]float64{}, refused()); diff != "" {
		t.Error(diff)
	}
}

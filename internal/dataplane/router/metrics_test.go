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

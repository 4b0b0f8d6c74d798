// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/bench/internal/report"
)

func TestLimitsAreWhole(t *testing.T) {
	all, err := readLimits("limits.yaml")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, l := range all.Limits {
		if seen[l.Name] {
			t.Errorf("%s is there twice", l.Name)
		}
		seen[l.Name] = true
		if !slices.ContainsFunc(benches, func(b bench) bool { return b.name == l.Bench }) {
			t.Errorf("%s: there is no bench %q", l.Name, l.Bench)
		}
		if l.Measures == "" || (l.Peer == "") == (l.Unit == "") {
			t.Errorf("%s needs what it measures, and either a unit or a peer", l.Name)
		}
		for _, m := range l.Measured {
			if all.Machines[m.Machine] == "" {
				t.Errorf("%s was measured on an unknown machine %q", l.Name, m.Machine)
			}
		}
	}
}

func TestWritingKeepsTheFile(t *testing.T) {
	before, err := os.ReadFile("limits.yaml")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "limits.yaml")
	if err := os.WriteFile(file, before, 0o600); err != nil {
		t.Fatal(err)
	}
	all, err := readLimits(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := all.write(file); err != nil {
		t.Fatal(err)
	}
	after, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(before), string(after)); diff != "" {
		t.Errorf("written anew, limits.yaml differs:\n%s", diff)
	}
}

// inBlock matches a quotation that Markdown takes for a block of HTML, which
// ends the paragraph.
var inBlock = regexp.MustCompile(`(?m)^<!-- quote .* -->.`)

func TestDocumentsQuoteTheLimits(t *testing.T) {
	all, err := readLimits("limits.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := documents("..", func(file, text string) error {
		want, err := all.quote(text)
		if err != nil {
			return err
		}
		if diff := cmp.Diff(want, text); diff != "" {
			t.Errorf("%s does not quote bench/limits.yaml, run `make generate`:\n%s", file, diff)
		}
		if open, closed := strings.Count(text, "<!-- quote "), len(quotation.FindAllString(text, -1)); open != closed {
			t.Errorf("%s: %d quotations begin, %d are whole", file, open, closed)
		}
		for _, m := range inBlock.FindAllString(text, -1) {
			t.Errorf("%s: a line must not begin with %s", file, m)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

// example is two quantities: a ratio, and one without a budget.
func example() *limits {
	return &limits{Machines: map[string]string{"a": "M"}, Limits: []*limit{
		{Name: "cpu", Bench: "router", Measures: "CPU", Peer: "nginx", Budget: new(0.9), Measured: []measurement{
			{At: "1 service", Median: 0.8, Least: new(0.75), Most: new(1.0), Runs: 3, Date: "2026-11-27", Machine: "a"},
			{At: "2 services", Median: 0.99, Runs: 1},
		}},
		{Name: "time", Bench: "up", Measures: "time", Unit: "ms"},
	}}
}

func TestQuote(t *testing.T) {
	for field, want := range map[string]string{
		"cpu at 1 service":            "0.8 x nginx",
		"spread of cpu at 1 service":  "0.75 to 1",
		"budget of cpu":               "0.9 x nginx",
		"margin of cpu at 1 service":  "11% left",
		"margin of cpu at 2 services": "10% over",
		"machine of cpu at 1 service": "M",
		"date of cpu at 1 service":    "27 November 2026",
		"date of cpu at 2 services":   "no date",
		"time":                        "not measured",
		"table of cpu time": "\n| | CPU | time |\n|---|---|---|\n" +
			"| 1 service | 0.8 x nginx (0.75 to 1) | - |\n| 2 services | 0.99 x nginx | - |\n",
		"budgets of router": "\n| what | budget | | median | least to most | runs | measured | margin |\n|---|---|---|---|---|---|---|---|\n" +
			"| CPU | 0.9 x nginx | 1 service | 0.8 | 0.75 to 1 | 3 | 27 November 2026 | 11% left |\n" +
			"|  |  | 2 services | 0.99 |  | 1 | no date | **10% over** |\n",
	} {
		t.Run(field, func(t *testing.T) {
			begin := "a <!-- quote " + field + " -->"
			got, err := example().quote(begin + "old<!-- end --> b")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(begin+want+"<!-- end --> b", got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for _, field := range []string{"space", "colour of cpu at 1 service", "table of space"} {
		if _, err := example().quote("<!-- quote " + field + " --><!-- end -->"); err == nil {
			t.Errorf("%s is quoted", field)
		}
	}
}

func TestCompareSaysWhatIsOver(t *testing.T) {
	var r report.Report
	r.Add("cpu", "1 service", 0.9, 0.7, 0.95)
	r.Add("time", "", 1234.5678)
	var out strings.Builder
	if err := example().compare(&out, r); err != nil {
		t.Error(err)
	}
	r.Add("cpu", "2 services", 0.901)
	err := example().compare(&out, r)
	if err == nil || err.Error() != "over budget: cpu 2 services" {
		t.Errorf("got %v", err)
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

func TestUpdateReplacesTheCase(t *testing.T) {
	all := example()
	var r report.Report
	r.Add("cpu", "1 service", 0.9, 0.7, 0.95123)
	r.Add("time", "", 1234.5678)
	all.update(r)
	want := example()
	today := all.Limits[1].Measured[0].Date
	want.Machines["b"] = machine()
	want.Limits[0].Measured[0] = measurement{At: "1 service", Median: 0.9, Least: new(0.7), Most: new(0.951), Runs: 3, Date: today, Machine: "b"}
	want.Limits[1].Measured = []measurement{{Median: 1235, Runs: 1, Date: today, Machine: "b"}}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Error(diff)
	}
}

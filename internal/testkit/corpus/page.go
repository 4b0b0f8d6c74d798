// SPDX-License-Identifier: Apache-2.0

package corpus

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/serin-dev/serin/internal/testkit/golden"
)

// Report is what became of the cases that a test checked, for a page of the
// documentation.
type Report struct {
	counts  map[string]map[string]map[string][2]int // by library, class and version: exact, and all
	reasons map[string]map[string]map[string]bool   // by class and reason: the versions
}

// add counts a case. Those that are wrong on purpose do not count.
func (r *Report) add(c *Case, v verdict) {
	if v.word == "wrong" {
		return
	}
	library, version, ok := strings.Cut(c.Library, " ")
	if !ok {
		library, version = "scikit-learn", c.Version
	}
	n := entryIn(entryIn(r.counts, library), c.Class)[version]
	n[1]++
	if v.word == "exact" {
		n[0]++
	} else {
		reason, _, _ := strings.Cut(v.reason, ": your own Python")
		entryIn(entryIn(r.reasons, c.Class), reason)[version] = true
	}
	r.counts[library][c.Class][version] = n
}

func entryIn[V any](m map[string]map[string]V, key string) map[string]V {
	if m[key] == nil {
		m[key] = map[string]V{}
	}
	return m[key]
}

// Section fails the test unless the page has the report, between two comments with its
// name. With -update it rewrites that part. With -short it does nothing.
func (r *Report) Section(t *testing.T, page, name string) {
	t.Helper()
	if *chosen != "" || testing.Short() {
		return
	}
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+name+" -->\n", "<!-- end of "+name+" -->\n"
	before, rest, ok1 := strings.Cut(string(data), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok1 || !ok2 {
		t.Fatalf("%s has no %s", page, strings.TrimSpace(begin))
	}
	golden.File(t, page, before+begin+r.text()+end+after)
}

func (r *Report) text() string {
	var b strings.Builder
	for _, library := range slices.Sorted(maps.Keys(r.counts)) {
		r.table(&b, library)
	}
	if len(r.reasons) > 0 {
		b.WriteString("\nRefused are:\n")
	}
	for _, class := range slices.Sorted(maps.Keys(r.reasons)) {
		for _, reason := range slices.Sorted(maps.Keys(r.reasons[class])) {
			versions := slices.SortedFunc(maps.Keys(r.reasons[class][reason]), Compare)
			fmt.Fprintf(&b, "- %s, %s: %s\n", class, span(versions), strings.TrimPrefix(reason, class+": "))
		}
	}
	return b.String()
}

// span names versions.
func span(versions []string) string {
	const few = 2
	if len(versions) <= few {
		return strings.Join(versions, " and ")
	}
	return versions[0] + " to " + versions[len(versions)-1]
}

func (r *Report) table(b *strings.Builder, library string) {
	all := map[string]bool{}
	for _, row := range r.counts[library] {
		for version := range row {
			all[version] = true
		}
	}
	versions := slices.SortedFunc(maps.Keys(all), Compare)
	fmt.Fprintf(b, "\n| %s | %s |\n|---%s|\n", library, strings.Join(versions, " | "), strings.Repeat("|---", len(versions)))
	for _, class := range slices.Sorted(maps.Keys(r.counts[library])) {
		fmt.Fprintf(b, "| %s |", class)
		for _, version := range versions {
			n := r.counts[library][class][version]
			switch {
			case n[1] == 0:
				b.WriteString(" |")
			case n[0] == n[1]:
				b.WriteString(" yes |")
			case n[0] == 0:
				b.WriteString(" refused |")
			default:
				fmt.Fprintf(b, " %d of %d |", n[0], n[1])
			}
		}
		b.WriteString("\n")
	}
}

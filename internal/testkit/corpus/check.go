// SPDX-License-Identifier: Apache-2.0

package corpus

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

var chosen = flag.String("corpus", "", `check only these cases: "KIND/NAME [VERSION ...]", with * for anything`)

// ErrMethod is the error of an Ask for a method that the reader does not offer.
var ErrMethod = errors.New("no such method")

// Ask calls a method of a model with the rows of its case, and returns the values
// row after row.
type Ask func(method string) ([]any, error)

// Load makes an Ask of a case. It is the adapter of a reader under test.
type Load func(c *Case) (Ask, error)

// verdict is what became of a case: exact, refused, or wrong, with the reason.
type verdict struct {
	word, reason string
}

// Check asks every case of the kinds, and logs a table: how many cases of each
// class and version are exact. A reader may refuse a case, but answers exactly if
// it answers. The test fails for each wrong answer, and for each refused case that
// the file lists. See the type list for its lines.
func Check(t *testing.T, file string, load Load, kinds ...string) *Report {
	t.Helper()
	listed := readList(t, file)
	s := summary{counts: map[string]map[string][2]int{}, reasons: map[string]int{}}
	r := &Report{counts: map[string]map[string]map[string][2]int{}, reasons: map[string]map[string]map[string]bool{}}
	only := entryOf(*chosen)
	for _, kind := range kinds {
		for _, c := range Cases(t, kind) {
			if *chosen != "" && !only.matches(&c) {
				continue
			}
			v := judge(&c, load)
			listed.hold(t, &c, v)
			s.add(&c, v)
			r.add(&c, v)
			if *chosen != "" && v.word != "exact" {
				t.Logf("%s of %s (%s): %s: %s", c.Path(), c.Version, c.Class, v.word, v.reason)
			}
		}
	}
	if *chosen == "" && !testing.Short() {
		listed.stale(t)
	}
	t.Log("\n" + s.table() + s.tally())
	return r
}

// summary counts the cases of each class and version, exact and all, and the
// reasons of those that are not exact.
type summary struct {
	counts  map[string]map[string][2]int
	reasons map[string]int
}

func (s *summary) add(c *Case, v verdict) {
	class := c.Kind + " " + c.Class
	if s.counts[class] == nil {
		s.counts[class] = map[string][2]int{}
	}
	n := s.counts[class][c.Version]
	n[1]++
	if v.word == "exact" {
		n[0]++
	} else {
		s.reasons[v.word+": "+v.reason]++
	}
	s.counts[class][c.Version] = n
}

func (s *summary) table() string {
	total := map[string][2]int{}
	for _, row := range s.counts {
		for v, n := range row {
			total[v] = [2]int{total[v][0] + n[0], total[v][1] + n[1]}
		}
	}
	versions := slices.SortedFunc(maps.Keys(total), Compare)
	var b strings.Builder
	fmt.Fprintf(&b, "%-44s", "exact of all")
	for _, v := range versions {
		fmt.Fprintf(&b, "%9s", v)
	}
	line := func(name string, row map[string][2]int) {
		fmt.Fprintf(&b, "\n%-44s", name)
		for _, v := range versions {
			n, cell := row[v], ""
			if n[1] > 0 {
				cell = fmt.Sprintf("%d/%d", n[0], n[1])
			}
			fmt.Fprintf(&b, "%9s", cell)
		}
	}
	for _, class := range slices.Sorted(maps.Keys(s.counts)) {
		line(class, s.counts[class])
	}
	line("all", total)
	return b.String() + "\n"
}

func (s *summary) tally() string {
	var b strings.Builder
	often := func(a, b string) int {
		if n := s.reasons[b] - s.reasons[a]; n != 0 {
			return n
		}
		return strings.Compare(a, b)
	}
	for _, reason := range slices.SortedFunc(maps.Keys(s.reasons), often) {
		fmt.Fprintf(&b, "%6d %s\n", s.reasons[reason], reason)
	}
	return b.String()
}

// judge compares what a reader and its library make of a case.
func judge(c *Case, load Load) verdict {
	ask, err := load(c)
	if err != nil {
		return verdict{"refused", short(err)}
	}
	if _, ok := c.Answers["predict"]; !ok {
		if got, err := ask("predict"); err == nil {
			return verdict{"wrong", fmt.Sprintf("%d answers where the library has no predict", len(got))}
		}
		return verdict{word: "exact"}
	}
	for _, method := range slices.Sorted(maps.Keys(c.Answers)) {
		want := c.Answers[method]
		got, err := ask(method)
		if errors.Is(err, ErrMethod) {
			if method == "predict" || method == "predict_proba" {
				return verdict{"refused", "no " + method}
			}
			continue // a second view of the same numbers
		}
		if v := want.judge(got, err); v.word != "exact" {
			v.reason = method + ": " + v.reason
			return v
		}
	}
	return verdict{word: "exact"}
}

func (a *Answer) judge(got []any, err error) verdict {
	switch {
	case a.Error != "" && err == nil:
		return verdict{"wrong", "an answer, and not: " + short(errors.New(a.Error))}
	case a.Error != "":
		return verdict{word: "exact"}
	case err != nil:
		return verdict{"refused", short(err)}
	}
	if diff := a.Diff(got); diff != "" {
		return verdict{"wrong", diff}
	}
	return verdict{word: "exact"}
}

// short is the first line of an error.
func short(err error) string {
	const most = 160
	text, _, _ := strings.Cut(err.Error(), "\n")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}

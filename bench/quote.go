// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A document quotes limits.yaml between two comments:
//
//	<!-- quote coldstart -->166 ms<!-- end -->
//	<!-- quote budget of router-cpu -->0.9 x nginx<!-- end -->
//	<!-- quote spread of router-cpu at 2 services -->0.91 to 1.02<!-- end -->
//
// Without a field it is the median. "budgets of router idle" is a table of
// these benches' budgets, "table of proxy-cpu proxy-idle" one of these
// quantities by their cases.
var quotation = regexp.MustCompile(`(?s)(<!-- quote (?:(\w+) of )?(.*?)(?: at (.*?))? -->)(.*?)(<!-- end -->)`)

// quote returns the text with what it quotes as it is in limits.yaml.
func (all *limits) quote(text string) (string, error) {
	var err error
	text = quotation.ReplaceAllStringFunc(text, func(old string) string {
		m := quotation.FindStringSubmatch(old)
		words, e := all.say(m[2], m[3], m[4])
		if e != nil && err == nil {
			err = fmt.Errorf("%s: %w", m[1], e)
		}
		return m[1] + words + m[6]
	})
	return text, err
}

// say returns one quotation.
func (all *limits) say(field, name, at string) (string, error) {
	switch field {
	case "budgets":
		return all.budgets(strings.Fields(name)), nil
	case "table":
		return all.table(strings.Fields(name))
	}
	l := all.find(name)
	if l == nil {
		return "", fmt.Errorf("no quantity is called %q", name)
	}
	if field == "budget" {
		if l.Budget == nil {
			return "", fmt.Errorf("%s has no budget", name)
		}
		return l.value(*l.Budget), nil
	}
	m := l.at(at)
	switch {
	case m == nil && len(l.Measured) == 0:
		return "not measured", nil
	case m == nil:
		return "", fmt.Errorf("%s was not measured at %q", name, at)
	}
	switch field {
	case "":
		return l.value(m.Median), nil
	case "spread":
		return m.spread(), nil
	case "margin":
		return l.margin(*m), nil
	case "runs":
		return fmt.Sprint(m.Runs), nil
	case "date":
		return day(m.Date), nil
	case "machine":
		return all.Machines[m.Machine], nil
	}
	return "", fmt.Errorf("%s has no %s", name, field)
}

// budgets is a table of all budgets of some benches.
func (all *limits) budgets(benches []string) string {
	var b strings.Builder
	b.WriteString("\n| what | budget | | median | least to most | runs | measured | margin |\n|---|---|---|---|---|---|---|---|\n")
	for _, l := range all.Limits {
		if l.Budget == nil || !slices.Contains(benches, l.Bench) {
			continue
		}
		what, budget := l.Measures, l.value(*l.Budget)
		if len(l.Measured) == 0 {
			fmt.Fprintf(&b, "| %s | %s | | not measured | | | | |\n", what, budget)
		}
		for _, m := range l.Measured {
			margin := l.margin(m)
			if l.over(m) {
				margin = "**" + margin + "**"
			}
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %d | %s | %s |\n", what, budget, m.At, number(m.Median), m.spread(), m.Runs, day(m.Date), margin)
			what, budget = "", ""
		}
	}
	return b.String()
}

// table has a line for each case and a column for each quantity: the median,
// and least and most.
func (all *limits) table(names []string) (string, error) {
	var columns []*limit
	var cases []string
	head, line := "\n| ", "\n|---|"
	for _, name := range names {
		l := all.find(name)
		if l == nil {
			return "", fmt.Errorf("no quantity is called %q", name)
		}
		columns = append(columns, l)
		head, line = head+"| "+l.Measures+" ", line+"---|"
		for _, m := range l.Measured {
			if !slices.Contains(cases, m.At) {
				cases = append(cases, m.At)
			}
		}
	}
	var b strings.Builder
	b.WriteString(head + "|" + line + "\n")
	for _, at := range cases {
		b.WriteString("| " + at + " ")
		for _, l := range columns {
			value := "-"
			if m := l.at(at); m != nil && m.Least != nil {
				value = fmt.Sprintf("%s (%s)", l.value(m.Median), m.spread())
			} else if m != nil {
				value = l.value(m.Median)
			}
			b.WriteString("| " + value + " ")
		}
		b.WriteString("|\n")
	}
	return b.String(), nil
}

// day is a date as documents write it.
func day(date string) string {
	t, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return "no date"
	}
	return t.Format("2 January 2006")
}

// documents calls do with every document below a folder.
func documents(root string, do func(file, text string) error) error {
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && path != root:
			return fs.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return do(path, string(text))
	})
}

// writeDocuments writes all quotations anew.
func (all *limits) writeDocuments(root string) error {
	return documents(root, func(file, text string) error {
		now, err := all.quote(text)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if now == text {
			return nil
		}
		return os.WriteFile(file, []byte(now), 0o600)
	})
}

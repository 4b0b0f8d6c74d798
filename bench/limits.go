// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/serin-dev/serin/bench/internal/report"
)

// limit is a quantity in limits.yaml.
type limit struct {
	Name     string        `yaml:"name"`
	Bench    string        `yaml:"bench"` // which of the benches measures it
	Measures string        `yaml:"measures"`
	Peer     string        `yaml:"peer,omitempty"` // a ratio to this peer in the same round
	Unit     string        `yaml:"unit,omitempty"` // of what is no ratio
	Budget   *float64      `yaml:"budget,omitempty"`
	Note     string        `yaml:"note,omitempty"`
	Measured []measurement `yaml:"measured,omitempty"`
}

// measurement is what was measured last, in one case.
type measurement struct {
	At      string   `yaml:"at,omitempty"` // the case, if the quantity has several
	Median  float64  `yaml:"median"`
	Least   *float64 `yaml:"least,omitempty"` // nil: one run, or not recorded
	Most    *float64 `yaml:"most,omitempty"`
	Runs    int      `yaml:"runs"`
	Date    string   `yaml:"date,omitempty"` // empty: not recorded
	Machine string   `yaml:"machine"`        // its key in limits.Machines
}

// MarshalYAML puts a measurement into one line.
func (m measurement) MarshalYAML() (any, error) {
	type plain measurement
	var n yaml.Node
	err := n.Encode(plain(m))
	n.Style = yaml.FlowStyle
	return &n, err
}

// limits is the content of limits.yaml.
type limits struct {
	Machines map[string]string `yaml:"machines"`
	Limits   []*limit          `yaml:"limits"`
}

func readLimits(file string) (*limits, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	all := &limits{}
	if err := d.Decode(all); err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return all, nil
}

// write keeps the comment at the top of the file.
func (all *limits) write(file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	top, _, _ := strings.Cut(string(b), "\nmachines:")
	out := bytes.NewBufferString(top + "\n")
	e := yaml.NewEncoder(out)
	e.SetIndent(2)
	if err := e.Encode(all); err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	return os.WriteFile(file, out.Bytes(), 0o600)
}

// find returns the limit with a name, or nil.
func (all *limits) find(name string) *limit {
	if i := slices.IndexFunc(all.Limits, func(l *limit) bool { return l.Name == name }); i >= 0 {
		return all.Limits[i]
	}
	return nil
}

// machine returns the key of a machine, a new one if it is not known yet.
func (all *limits) machine(description string) string {
	for key, known := range all.Machines {
		if known == description {
			return key
		}
	}
	key := string(rune('a' + len(all.Machines)))
	all.Machines[key] = description
	return key
}

// at returns what was measured last in a case, or nil.
func (l *limit) at(name string) *measurement {
	if i := slices.IndexFunc(l.Measured, func(m measurement) bool { return m.At == name }); i >= 0 {
		return &l.Measured[i]
	}
	return nil
}

// update replaces what was measured in this case before.
func (l *limit) update(m measurement) {
	if old := l.at(m.At); old != nil {
		*old = m
		return
	}
	l.Measured = append(l.Measured, m)
}

// newMeasurement summarizes a series.
func newMeasurement(s report.Series, date, machine string) measurement {
	m := measurement{At: s.At, Median: rounded(report.Median(s.Samples)), Runs: len(s.Samples), Date: date, Machine: machine}
	if m.Runs > 1 {
		m.Least, m.Most = new(rounded(slices.Min(s.Samples))), new(rounded(slices.Max(s.Samples)))
	}
	return m
}

// rounded keeps three digits, and all of those before the point.
func rounded(v float64) float64 {
	if v == 0 {
		return 0
	}
	scale := math.Pow10(max(0, 2-int(math.Floor(math.Log10(math.Abs(v))))))
	return math.Round(v*scale) / scale
}

// over reports whether a measurement exceeds the budget. A budget of zero holds
// for every run.
func (l *limit) over(m measurement) bool {
	if l.Budget != nil && *l.Budget == 0 && m.Most != nil {
		return *m.Most > 0
	}
	return l.Budget != nil && m.Median > *l.Budget
}

// margin is how much of the budget is left, or by how much it is exceeded.
func (l *limit) margin(m measurement) string {
	switch {
	case l.Budget == nil:
		return ""
	case *l.Budget == 0 && l.over(m):
		return "over"
	case *l.Budget == 0:
		return "within"
	case l.over(m):
		return fmt.Sprintf("%.0f%% over", 100*(m.Median / *l.Budget - 1))
	}
	return fmt.Sprintf("%.0f%% left", 100*(1 - m.Median / *l.Budget))
}

// value is a number with its unit.
func (l *limit) value(v float64) string {
	if l.Peer != "" {
		return number(v) + " x " + l.Peer
	}
	return number(v) + " " + l.Unit
}

// spread is the least and the most of a measurement, or empty.
func (m measurement) spread() string {
	if m.Least == nil || m.Most == nil {
		return ""
	}
	return number(*m.Least) + " to " + number(*m.Most)
}

// number has a comma before every three digits.
func number(v float64) string {
	whole, fraction, _ := strings.Cut(strconv.FormatFloat(v, 'f', -1, 64), ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if fraction != "" {
		return whole + "." + fraction
	}
	return whole
}

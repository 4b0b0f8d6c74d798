// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/serin-dev/serin/internal/controlplane/action"
)

const (
	screenEvents = 5
	// window is over how long the numbers are averaged: long enough to be calm.
	window = 10 * time.Second
	// remembered is how much of the past the chart shows.
	remembered = time.Minute
	// chartRows bounds the height of the chart.
	minChartRows, maxChartRows = 3, 8
)

// screen is what the live view shows: a pure function of what was observed.
type screen struct {
	width, height int
	color         bool
	last          observation
	samples       []sample // of the last minute, oldest first
}

// after is the screen after one more observation. What could not be read
// stays as it was.
func (s screen) after(o observation) screen {
	if o.rollout == nil {
		o.rollout, o.events = s.last.rollout, s.last.events
	}
	s.last = o
	if o.err == nil && o.sampleErr == nil && s.due(o.at) {
		kept := s.samples[:0:0]
		for _, old := range s.samples {
			if o.at.Sub(old.at) <= remembered+window {
				kept = append(kept, old)
			}
		}
		s.samples = append(kept, o.sample)
	}
	return s
}

// due reports whether it is time for another sample: the view is drawn anew also
// when a Pod changes, which is too soon to count requests.
func (s screen) due(now time.Time) bool {
	n := len(s.samples)
	return n == 0 || now.Sub(s.samples[n-1].at) > lookAgain*3/4
}

// current returns the rates over the window that ends with the last sample.
func (s screen) current() map[string]rate {
	if len(s.samples) < 2 {
		return nil
	}
	return s.ratesAt(len(s.samples) - 1)
}

// ratesAt are the rates over the window that ends with a sample.
func (s screen) ratesAt(i int) map[string]rate {
	from := i - 1
	for from > 0 && s.samples[i].at.Sub(s.samples[from-1].at) <= window {
		from--
	}
	return rates(s.samples[from], s.samples[i], s.last.rollout.Revisions)
}

// String draws the screen. What there is no room for is left out: first old
// events, then the chart.
func (s screen) String() string {
	if s.width <= 0 || s.height <= 0 {
		s.width, s.height = 80, 24
	}
	if s.last.rollout == nil {
		if s.last.err != nil {
			return s.fit(s.last.err.Error())
		}
		return "looking ..."
	}
	revisions := present(s.last.rollout)
	top := slices.Concat(s.head(), []string{""}, s.table(revisions), []string{""}, s.bars(revisions), []string{""})
	bottom := append(s.outlook(), "")
	foot := s.foot()
	room := s.height - len(top) - len(bottom) - len(foot)
	events := s.last.events
	rows := room - len(events) - 3 // the chart's title, a line below it, one below the events
	if rows < minChartRows {
		events = events[min(len(events), minChartRows-rows):]
		rows = room - len(events) - 3
	}
	lines := top
	if chart := s.chart(revisions, min(rows, maxChartRows)); len(chart) > 0 {
		lines = append(append(lines, chart...), "")
	}
	lines = append(lines, bottom...)
	if room := s.height - len(lines) - len(foot) - 1; len(events) > 0 && room > 0 {
		lines = append(append(lines, events[max(0, len(events)-room):]...), "")
	}
	for len(lines)+len(foot) < s.height {
		lines = append(lines, "")
	}
	lines = append(lines[:max(0, min(len(lines), s.height-len(foot)))], foot...)
	for i := range lines {
		lines[i] = s.fit(lines[i])
	}
	return strings.Join(lines, "\n")
}

func (s screen) head() []string {
	service := s.last.rollout.Service
	left := s.style(service.Name, bold) + s.style(" in "+service.Namespace, faint)
	gap := s.width - lipgloss.Width(left) - len(service.Status.URL)
	if gap < 2 {
		return []string{left}
	}
	return []string{left + strings.Repeat(" ", gap) + s.style(service.Status.URL, faint)}
}

// table shows the revisions, newest first.
func (s screen) table(revisions []action.Revision) []string {
	const columns = "  %-11s %5s %6s %6s %7s %6s %7s"
	name := len("REVISION")
	for _, rev := range revisions {
		name = max(name, len(rev.Name))
	}
	name = max(len("REVISION"), min(name, s.width-2-len(fmt.Sprintf(columns, "", "", "", "", "", "", ""))))
	out := []string{"  " + s.style(fmt.Sprintf("%-*s"+columns, name, "REVISION", "STATE", "PODS", "WANTED", "SEEN", "REQ/S", "ERRORS", "P95"), faint)}
	current := s.current()
	for i, rev := range slices.Backward(revisions) {
		seen, perSecond, errors, p95 := "-", "-", "-", "-"
		if r, ok := current[rev.Name]; ok {
			perSecond = fmt.Sprintf("%.1f", r.PerSecond)
			if r.PerSecond > 0 {
				seen = fmt.Sprintf("%.1f%%", 100*r.Share)
				errors = fmt.Sprintf("%.1f%%", 100*r.Errors)
				p95 = milliseconds(r.P95)
			}
		}
		row := fmt.Sprintf("%-*s"+columns, name, short(rev.Name, name), dash(string(rev.State)),
			fmt.Sprintf("%d/%d", rev.Ready, rev.Wanted), percent(rev.Share), seen, perSecond, errors, p95)
		mark := s.style(string(glyph(i, len(revisions), s.color)), tint(i, len(revisions)))
		out = append(out, mark+" "+row)
	}
	return out
}

// outlook is what happens next, and why.
func (s screen) outlook() []string {
	o := s.last.rollout.Outlook()
	how := map[action.Outcome]lipgloss.Style{action.Settled: good, action.Progressing: busy, action.Failed: bad}[o.Outcome]
	text := strings.Split(lipgloss.Wrap(title(string(o.Outcome))+": "+plain(o.Next), s.width, ""), "\n")
	word := min(len(o.Outcome), len(text[0]))
	text[0] = s.style(text[0][:word], how) + text[0][word:]
	return text
}

func (s screen) foot() []string {
	foot := "q leaves"
	if s.last.err != nil {
		return []string{s.style("! "+s.last.err.Error(), bad), s.style(foot, faint)}
	}
	return []string{s.style(foot, faint)}
}

// fit cuts a line to the width.
func (s screen) fit(line string) string {
	if lipgloss.Width(line) <= s.width {
		return line
	}
	return lipgloss.NewStyle().MaxWidth(s.width).Render(line)
}

// Styles, few and only for what they mean.
var (
	bold  = lipgloss.NewStyle().Bold(true)
	faint = lipgloss.NewStyle().Faint(true)
	good  = lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Green)
	busy  = lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Yellow)
	bad   = lipgloss.NewStyle().Bold(true).Foreground(lipgloss.Red)
	tints = []lipgloss.Style{
		lipgloss.NewStyle().Foreground(lipgloss.Yellow), // the newest
		lipgloss.NewStyle().Foreground(lipgloss.Blue),
		lipgloss.NewStyle().Foreground(lipgloss.Magenta),
	}
)

func (s screen) style(text string, how lipgloss.Style) string {
	if !s.color || text == "" {
		return text
	}
	return how.Render(text)
}

// short keeps the end of a name, which is its number.
func short(name string, width int) string {
	if len(name) <= width {
		return name
	}
	return "…" + name[len(name)-width+1:]
}

func milliseconds(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

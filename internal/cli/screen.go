// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/serin-dev/serin/internal/steer"
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

// due says whether it is time for another sample: the view is drawn anew also
// when a Pod changes, which is too soon to count requests.
func (s screen) due(now time.Time) bool {
	n := len(s.samples)
	return n == 0 || now.Sub(s.samples[n-1].at) > lookAgain*3/4
}

// now are the rates over the window that ends with the last sample.
func (s screen) now() map[string]rate {
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
func (s screen) table(revisions []steer.Revision) []string {
	const columns = "  %-11s %5s %6s %6s %7s %6s %7s"
	name := len("REVISION")
	for _, rev := range revisions {
		name = max(name, len(rev.Name))
	}
	name = max(len("REVISION"), min(name, s.width-2-len(fmt.Sprintf(columns, "", "", "", "", "", "", ""))))
	out := []string{"  " + s.style(fmt.Sprintf("%-*s"+columns, name, "REVISION", "STATE", "PODS", "WANTED", "SEEN", "REQ/S", "ERRORS", "P95"), faint)}
	now := s.now()
	for i, rev := range slices.Backward(revisions) {
		seen, perSecond, errors, p95 := "-", "-", "-", "-"
		if r, ok := now[rev.Name]; ok {
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

// bars show the split as it should be and as it is, newest revision first.
func (s screen) bars(revisions []steer.Revision) []string {
	var wanted, seen []float64
	now := s.now()
	for _, rev := range revisions {
		share := 0.0
		if rev.Share != nil {
			share = float64(*rev.Share) / 100
		}
		wanted = append(wanted, share)
		seen = append(seen, now[rev.Name].Share)
	}
	out := []string{s.style("wanted  ", faint) + s.bar(wanted, max(0, s.width-8))}
	if now != nil {
		out = append(out, s.style("seen    ", faint)+s.bar(seen, max(0, s.width-8)))
	}
	return out
}

// bar is a line of that width, divided in these parts; the newest is left.
func (s screen) bar(parts []float64, width int) string {
	var out strings.Builder
	drawn, sum := 0, 0.0
	for i, part := range slices.Backward(parts) {
		sum += part
		to := int(math.Round(sum * float64(width)))
		if part > 0 && to == drawn {
			to++ // a share however small is seen
		}
		to = min(to, width)
		out.WriteString(s.style(strings.Repeat(string(glyph(i, len(parts), s.color)), to-drawn), tint(i, len(parts))))
		drawn = to
	}
	return out.String() + s.style(strings.Repeat("·", width-drawn), faint)
}

// chart shows the requests per second of the last minute, revision by
// revision, the newest at the bottom.
func (s screen) chart(revisions []steer.Revision, rows int) []string {
	if s.last.sampleErr != nil {
		return strings.Split(s.style(lipgloss.Wrap("No live numbers: "+s.last.sampleErr.Error(), s.width, ""), faint), "\n")
	}
	if rows < 1 {
		return nil
	}
	series := s.series(revisions)
	most := 1.0
	for _, at := range series {
		most = max(most, at[0])
	}
	out := []string{s.style(fmt.Sprintf("requests/s in the last minute, at most %.0f", most), faint)}
	for row := rows - 1; row >= 0; row-- {
		var line strings.Builder
		line.WriteString(strings.Repeat(" ", max(0, s.width-columnsOf(s.width)*len(series))))
		for _, at := range series {
			line.WriteString(s.cell(at, most, row, rows))
		}
		out = append(out, line.String())
	}
	return out
}

// columnsOf is how wide one second of the chart is.
func columnsOf(width int) int { return max(1, width/int(remembered/time.Second)) }

// series is for each sample of the last minute the height of each revision's
// curve, that is its requests per second and those of all newer ones. So the
// first, of the oldest, is the total.
func (s screen) series(revisions []steer.Revision) [][]float64 {
	var out [][]float64
	for i := 1; i < len(s.samples); i++ {
		at := rates(s.samples[i-1], s.samples[i], revisions)
		heights, sum := make([]float64, len(revisions)), 0.0
		for j, rev := range slices.Backward(revisions) {
			sum += at[rev.Name].PerSecond
			heights[j] = sum
		}
		if len(revisions) > 0 {
			out = append(out, heights)
		}
	}
	return out[max(0, len(out)-s.width/columnsOf(s.width)):]
}

// steps are the heights of a cell, in eighths.
var steps = []rune(" ▁▂▃▄▅▆▇█")

// cell draws one row of one second of the chart.
func (s screen) cell(heights []float64, most float64, row, rows int) string {
	wide := columnsOf(s.width)
	eighths := int(math.Round(heights[0] / most * float64(8*rows)))
	full := eighths - 8*row
	if heights[0] > 0 && row == 0 {
		full = max(full, 1) // a request however rare is seen
	}
	if full <= 0 {
		return strings.Repeat(" ", wide)
	}
	// The cell belongs to the newest revision whose curve reaches its middle;
	// the lowest one to the newest that got anything.
	of := 0
	for i, h := range slices.Backward(heights) {
		if h/most*float64(rows) >= float64(row)+.5 || row == 0 && h > 0 {
			of = i
			break
		}
	}
	g := glyph(of, len(heights), s.color)
	if full < 8 {
		g = steps[full]
	}
	return s.style(strings.Repeat(string(g), wide), tint(of, len(heights)))
}

// outlook is what happens next, and why.
func (s screen) outlook() []string {
	o := s.last.rollout.Outlook()
	how := map[steer.Outcome]lipgloss.Style{steer.Settled: good, steer.Progressing: busy, steer.Failed: bad}[o.Outcome]
	text := strings.Split(lipgloss.Wrap(title(string(o.Outcome))+": "+o.Next, s.width, ""), "\n")
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

// glyphs tell revisions apart where there are no colours, the newest first.
var glyphs = []rune("░█▒")

// glyph is the mark of the i-th oldest of n revisions.
func glyph(i, n int, color bool) rune {
	if color {
		return '█'
	}
	return glyphs[(n-1-i)%len(glyphs)]
}

// tint is its colour.
func tint(i, n int) lipgloss.Style { return tints[(n-1-i)%len(tints)] }

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

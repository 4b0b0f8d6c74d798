// SPDX-License-Identifier: Apache-2.0

package cli

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"charm.land/lipgloss/v2"

	"github.com/serin-dev/serin/internal/controlplane/action"
)

// bars show the split as it should be and as it is, newest revision first.
func (s screen) bars(revisions []action.Revision) []string {
	var wanted, seen []float64
	current := s.current()
	for _, rev := range revisions {
		share := 0.0
		if rev.Share != nil {
			share = float64(*rev.Share) / 100
		}
		wanted = append(wanted, share)
		seen = append(seen, current[rev.Name].Share)
	}
	out := []string{s.style("wanted  ", faint) + s.bar(wanted, max(0, s.width-8))}
	if current != nil {
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
func (s screen) chart(revisions []action.Revision, rows int) []string {
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
func (s screen) series(revisions []action.Revision) [][]float64 {
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

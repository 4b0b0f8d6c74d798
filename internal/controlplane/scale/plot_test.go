// SPDX-License-Identifier: Apache-2.0

package scale_test

import (
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/serin-dev/serin/internal/testkit/golden"
)

// TestPlots compares the plots of the documentation with what the simulation
// does now.
func TestPlots(t *testing.T) {
	for _, sc := range scenarios {
		t.Run(sc.name, func(t *testing.T) {
			golden.File(t, filepath.Join("..", "..", "..", "docs", "scaling", sc.name+".svg"), plot(sc, simulate(t, sc)))
		})
	}
}

// Where things are in a plot, in pixels.
const (
	width, height = 720, 330
	left, right   = 48, 700
	loadTop       = 44  // of the upper panel
	loadBottom    = 144 //
	podsTop       = 176 // of the lower panel
	podsBottom    = 296
)

// plot draws the load above and the replicas below, over the same time.
func plot(sc scenario, samples []sample) string {
	var b strings.Builder
	text := func(x, y float64, anchor, s string) {
		fmt.Fprintf(&b, `<text x="%.0f" y="%.0f" text-anchor="%s">%s</text>`+"\n", x, y, anchor, s)
	}
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11" fill="#444">`+"\n", width, height)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="#fff"/>`+"\n", width, height)
	text(left, 18, "start", `<tspan font-weight="bold">`+sc.name+`</tspan>  `+sc.about)

	load := panel{b: &b, samples: samples, top: loadTop, bottom: loadBottom, of: func(s sample) float64 { return s.inFlight }}
	load.scale("requests in flight")
	load.area("#c9d9ee")

	pods := panel{b: &b, samples: samples, top: podsTop, bottom: podsBottom, of: func(s sample) float64 { return math.Max(float64(s.replicas), s.needed) }}
	pods.scale(`replicas: <tspan fill="#1f5fa8" font-weight="bold">ready</tspan>, and <tspan fill="#d06a1b" font-weight="bold">the fewest that keep up</tspan>`)
	pods.steps("#1f5fa8", 2, func(s sample) float64 { return float64(s.ready) })
	pods.steps("#d06a1b", 1.2, func(s sample) float64 { return s.needed })

	for s := 0; s <= sc.seconds; s += 60 {
		text(pods.x(s), podsBottom+16, "middle", fmt.Sprintf("%d s", s))
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// panel is a part of a plot with an axis of its own.
type panel struct {
	b           *strings.Builder
	samples     []sample
	top, bottom float64
	of          func(sample) float64
}

func (p panel) most() float64 {
	most := 1.0
	for _, s := range p.samples {
		most = math.Max(most, p.of(s))
	}
	return most
}

func (p panel) x(second int) float64 {
	return left + (right-left)*float64(second)/float64(len(p.samples))
}

func (p panel) y(value float64) float64 {
	return p.bottom - (p.bottom-p.top)*value/p.most()
}

func (p panel) scale(title string) {
	for _, v := range []float64{0, p.most()} {
		fmt.Fprintf(p.b, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#ddd"/>`+"\n", left, right, p.y(v), p.y(v))
		fmt.Fprintf(p.b, `<text x="%d" y="%.1f" text-anchor="end">%.0f</text>`+"\n", left-6, p.y(v)+4, v)
	}
	fmt.Fprintf(p.b, `<text x="%d" y="%.0f">%s</text>`+"\n", left, p.top-8, title)
}

func (p panel) area(colour string) {
	fmt.Fprintf(p.b, `<path fill="%s" d="M%.1f %.1f`, colour, p.x(0), p.bottom)
	for i, s := range p.samples {
		fmt.Fprintf(p.b, "L%.1f %.1f", p.x(i), p.y(p.of(s)))
	}
	fmt.Fprintf(p.b, `L%.1f %.1fZ"/>`+"\n", p.x(len(p.samples)-1), p.bottom)
}

// steps draws a line that only changes where the value does.
func (p panel) steps(colour string, width float64, of func(sample) float64) {
	last := of(p.samples[0])
	fmt.Fprintf(p.b, `<path fill="none" stroke="%s" stroke-width="%.1f" d="M%.1f %.1f`, colour, width, p.x(0), p.y(last))
	for i, s := range p.samples {
		if v := of(s); v != last {
			fmt.Fprintf(p.b, "H%.1fV%.1f", p.x(i), p.y(v))
			last = v
		}
	}
	fmt.Fprintf(p.b, `H%.1f"/>`+"\n", p.x(len(p.samples)))
}

// SPDX-License-Identifier: Apache-2.0

package columns

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
)

// polynomial is PolynomialFeatures. Each term of a degree is one of the degree before,
// times a feature.
type polynomial struct {
	input graph.Input
	bias  bool
	terms []term // of degree 2 and more, by degree and then in the order of the features
	from  int    // the first term that is put out: the features are 0, ..., Width-1
	width int
}

type term struct {
	before  int32 // a feature or a term: those of terms follow the features
	feature int32
}

const termCost = 8 // bytes

func newPolynomial(e *fitted.Estimator) graph.Node {
	p := &polynomial{input: e.Input(width(e)), bias: e.Flag("include_bias")}
	least, most := degrees(e)
	if !e.Ok() {
		return p
	}
	p.grow(e, least, most)
	if p.width != e.Int(math.MaxInt32, "n_output_features_") {
		e.Failf("n_output_features_ is not what its degree makes")
	}
	e.Wide(p.input.Width + len(p.terms))
	return p
}

// grow makes the terms of one degree after the other.
func (p *polynomial) grow(e *fitted.Estimator, least, most int) {
	n := p.input.Width
	from, to := 0, n // the terms of the last degree
	if most == 0 {
		n, to = 0, 0
	}
	for degree := 2; degree <= most; degree++ {
		if degree <= least {
			p.from = to
		}
		for before := from; before < to; before++ {
			first := before
			if before >= n {
				first = int(p.terms[before-n].feature)
			}
			if e.Flag("interaction_only") {
				first++
			}
			if !e.Alloc(termCost * max(n-first, 0)) {
				return
			}
			for f := first; f < n; f++ {
				p.terms = append(p.terms, term{int32(before), int32(f)})
			}
		}
		from, to = to, n+len(p.terms)
	}
	p.width = max(to-p.from, 0)
	if p.bias {
		p.width++
	}
}

// degrees returns the least and the most degree of the terms.
func degrees(e *fitted.Estimator) (least, most int) {
	v := e.Get("degree")
	if pair := fitted.Items(v); len(pair) == 2 {
		least, most = int(number(e, pair[0], "degree")), int(number(e, pair[1], "degree"))
	} else {
		most = int(number(e, v, "degree"))
	}
	const limit = 1 << 10
	e.Require(0 <= least && least <= most && most <= limit, "degree is out of range")
	return least, most
}

func (p *polynomial) Input() *graph.Input { return &p.input }

func (p *polynomial) Width() int { return p.width }

func (p *polynomial) Transform(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	n := x.Cols
	all := w.Floats(n + len(p.terms))
	out := w.Dense(x.Rows, p.width)
	for i := range x.Rows {
		copy(all, x.Row(i))
		for k, t := range p.terms {
			all[n+k] = all[t.before] * all[t.feature]
		}
		row := out.Row(i)
		if p.bias {
			row[0], row = 1, row[1:]
		}
		copy(row, all[p.from:])
		if err := w.Steps(2 * len(all)); err != nil {
			return x, err
		}
	}
	return out, nil
}

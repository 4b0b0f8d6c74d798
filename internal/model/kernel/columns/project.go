// SPDX-License-Identifier: Apache-2.0

package columns

import (
	"math"
	"slices"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/vector"
)

// projection is PCA, IncrementalPCA and TruncatedSVD: it multiplies the rows, less
// their mean, with the components.
type projection struct {
	input      graph.Input
	components vector.Matrix
	mean       []float64 // nil for SVD
	scale      []float64 // nil without whiten
	zeros      []float64 // a zero for each component
}

func newSVD(e *fitted.Estimator) graph.Node {
	m := e.Matrix("components_")
	p := &projection{input: e.Input(m.Cols), components: m, zeros: make([]float64, m.Rows)}
	p.input.Sparse = true
	e.Require(m.Rows > 0, "it has no components")
	return p
}

func newPCA(e *fitted.Estimator) graph.Node {
	m := e.Matrix("components_")
	p := &projection{input: e.Input(m.Cols), components: m, zeros: make([]float64, m.Rows)}
	p.mean = e.Floats("mean_")
	e.Require(len(p.mean) == m.Cols && m.Rows > 0, "mean_ and components_ do not fit")
	if !e.Flag("whiten") {
		return p
	}
	variance := e.Floats("explained_variance_")
	e.Require(len(variance) == m.Rows, "explained_variance_ does not fit the components")
	if !e.Alloc(8 * len(variance)) {
		return p
	}
	for _, v := range variance {
		scale := math.Sqrt(v)
		if e.Version() >= 105 {
			scale = max(scale, epsilon) // since 1.5
		}
		p.scale = append(p.scale, scale)
	}
	e.Require(!p.rounds(), "a component has no variance, so whiten makes its rounding large, which is not supported")
	return p
}

// rounds reports whether the rounding of a row counts after its division by a scale.
func (p *projection) rounds() bool {
	const most = 1 << 31
	size := math.Sqrt(vector.Dot(p.mean, p.mean))
	for _, v := range p.scale {
		size = max(size, v)
	}
	return slices.ContainsFunc(p.scale, func(v float64) bool { return size > most*v })
}

func (p *projection) Input() *graph.Input { return &p.input }

func (p *projection) Width() int { return p.components.Rows }

func (p *projection) Transform(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	if p.mean != nil {
		centered := w.Dense(x.Rows, x.Cols)
		for i := range x.Rows {
			from, to := x.Row(i), centered.Row(i)
			for j, v := range p.mean {
				to[j] = from[j] - v
			}
		}
		x = centered
	}
	out := w.Dense(x.Rows, p.components.Rows)
	if err := graph.Product(w, out.Data, x, p.components, p.zeros); err != nil {
		return x, err
	}
	if p.scale == nil {
		return out, nil
	}
	for i := range out.Rows {
		row := out.Row(i)
		for j, v := range p.scale {
			row[j] /= v
		}
	}
	return out, nil
}

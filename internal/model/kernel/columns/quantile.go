// SPDX-License-Identifier: Apache-2.0

package columns

import (
	"math"
	"sort"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// quantile is QuantileTransformer: it interpolates between the quantiles of a column,
// from below and from above, and takes the mean of both, for quantiles that are equal.
type quantile struct {
	input      graph.Input
	references []float64
	quantiles  vector.Matrix // a row for each column of the block
	normal     bool
}

func newQuantile(e *fitted.Estimator) graph.Node {
	m := e.Matrix("quantiles_")
	q := &quantile{references: e.Floats("references_")}
	switch name := e.Text("uniform", "output_distribution"); name {
	case "uniform":
	case "normal":
		q.normal = true
	default:
		e.Failf("output_distribution %s is not supported", pickle.Quote(name))
	}
	e.Require(m.Rows > 0 && len(q.references) == m.Rows, "references_ and quantiles_ do not fit")
	q.input = e.Input(m.Cols)
	q.input.AllowNaN, q.input.NoSparse = true, true
	if e.Alloc(8 * len(m.Data)) {
		q.quantiles = m.Transpose()
	}
	for _, v := range m.Data {
		e.Require(v == v, "a quantile is NaN, which is not supported")
	}
	return q
}

func (q *quantile) Input() *graph.Input { return &q.input }

func (q *quantile) Width() int { return q.input.Width }

func (q *quantile) Transform(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	out := w.Dense(x.Rows, x.Cols)
	for i := range x.Rows {
		from, to := x.Row(i), out.Row(i)
		for j, v := range from {
			to[j] = q.value(v, q.quantiles.Row(j))
		}
		const steps = 100
		if err := w.Steps(steps * len(from)); err != nil {
			return x, err
		}
	}
	return out, nil
}

// bound is how near to 0 and 1 the normal distribution is cut.
const bound = 1e-7

func (q *quantile) value(v float64, quantiles []float64) float64 {
	last := len(quantiles) - 1
	low, high := quantiles[0], quantiles[last]
	var y float64
	switch {
	case v != v:
		return v
	case q.normal && v-bound < low, !q.normal && v == low:
		y = 0
	case q.normal && v+bound > high, !q.normal && v == high:
		y = 1
	default:
		y = (q.above(v, quantiles) + q.below(v, quantiles)) / 2
	}
	// numpy sets the upper bound first, so the lower one wins where both are met.
	if !q.normal {
		return y
	}
	const edge = bound - epsilon
	return inverseNormal(min(max(y, edge), 1-edge))
}

// below interpolates from the last quantile that is not above v.
func (q *quantile) below(v float64, quantiles []float64) float64 {
	i := sort.Search(len(quantiles), func(i int) bool { return quantiles[i] > v }) - 1
	switch {
	case i < 0:
		return q.references[0]
	case i == len(quantiles)-1:
		return q.references[i]
	}
	return q.between(v, i, quantiles)
}

// above interpolates to the first quantile that is not below v.
func (q *quantile) above(v float64, quantiles []float64) float64 {
	i := sort.SearchFloat64s(quantiles, v)
	switch {
	case i == len(quantiles):
		return q.references[i-1]
	case i == 0 || quantiles[i] == v:
		return q.references[i]
	}
	return q.between(v, i-1, quantiles)
}

func (q *quantile) between(v float64, i int, quantiles []float64) float64 {
	slope := (q.references[i+1] - q.references[i]) / (quantiles[i+1] - quantiles[i])
	return q.references[i] + slope*(v-quantiles[i])
}

// inverseNormal is the quantile function of the normal distribution.
func inverseNormal(p float64) float64 { return -math.Sqrt2 * math.Erfcinv(2*p) }

// SPDX-License-Identifier: Apache-2.0

package trees

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// isolation is IsolationForest, of Liu, Ting and Zhou, "Isolation forest" (2008): a row
// is the more of an outlier, the shorter its mean path through the trees. A leaf's
// value is the length of the path to it, and on through the samples in it.
type isolation struct {
	input graph.Input
	graph.Outputs
	sum[float32]
	offset float64
	scale  float64 // the sum of the trees' mean path lengths
}

func newIsolation(e *fitted.Estimator) graph.Node {
	f := &isolation{sum: sum[float32]{width: 1}, offset: e.Number("offset_")}
	trees := members(e, e.List("estimators_"))
	subsets := e.List("estimators_features_")
	e.Require(len(subsets) == len(trees), "its estimators_features_ do not fit its trees")
	width := e.Int(1<<24, "n_features_in_", "n_features_")
	for i, one := range trees {
		c := newCart(one)
		if !e.Ok() {
			return f
		}
		if t := c.paths(f.subset(e, subsets[i], c.features, width)); e.Ok() {
			f.trees = append(f.trees, t)
		}
	}
	f.scale = float64(len(trees)) * meanPath(e.Number("_max_samples", "max_samples_"))
	f.input = e.Input(width)
	f.input.Single = true
	if e.Version() >= 106 {
		f.input.AllowNaN, f.input.AllowInf = true, true
	}
	f.Outputs[frame.Predict] = graph.Labels(frame.Int64, []any{int64(-1), int64(1)})
	f.Outputs[frame.DecisionFunction] = graph.One()
	return f
}

// subset returns which of the features a tree has.
func (f *isolation) subset(e *fitted.Estimator, v any, features, width int) []int {
	var subset []int
	for _, n := range e.IntsOf(v, "estimators_features_") {
		if !inside(n, 0, width) {
			e.Failf("a tree has no such feature")
			return nil
		}
		subset = append(subset, int(n))
	}
	e.Require(len(subset) == features, "its estimators_features_ do not fit its trees")
	return subset
}

// paths reads a tree on a subset of the features, whose leaves have the lengths of
// paths.
func (c *cart) paths(subset []int) *tree[float32] {
	b := c.splits()
	if !c.Ok() {
		return nil
	}
	for i := range b.tree.nodes {
		n := &b.tree.nodes[i]
		n.feature = n.feature&flags | uint32(subset[n.feature&^flags])
	}
	depths := b.depths()
	if !c.Alloc(8 * c.count) {
		return nil
	}
	lengths := make([]float64, c.count)
	b.Field(b.nodes, "n_node_samples", func(i int, v pickle.Number) {
		lengths[i] = float64(depths[b.place[i]]) + meanPath(v.Float) - 1
	})
	b.values([]span{{0, 1}}, 1, lengths)
	b.Release((8 + 4) * c.count)
	return b.finish()
}

// meanPath is the mean length of a path through a tree that isolates n samples.
func meanPath(n float64) float64 {
	const eulerGamma = 0.57721566490153286060651209008240243
	switch {
	case n <= 1:
		return 0
	case n == 2:
		return 1
	}
	return 2*(math.Log(n-1)+eulerGamma) - 2*(n-1)/n
}

func (f *isolation) Input() *graph.Input { return &f.input }

func (f *isolation) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	clear(dst)
	err := f.add(w, dst, singles(w, x), x.Cols, holed(x))
	for i, depths := range dst {
		mean := 1.0
		if f.scale != 0 {
			mean = depths / f.scale
		}
		dst[i] = -math.Exp2(-mean) - f.offset
		if m == frame.Predict {
			dst[i] = 1 - float64(one(dst[i] < 0))
		}
	}
	return err
}

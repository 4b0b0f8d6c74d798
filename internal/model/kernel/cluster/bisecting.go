// SPDX-License-Identifier: Apache-2.0

package cluster

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// bisecting is BisectingKMeans (Steinbach, Karypis and Kumar 2000): a row goes down a
// tree, each time to the nearer one of two centers.
type bisecting struct {
	*kmeans
	nodes []fork
}

// fork is a node of the tree.
type fork struct {
	left     int           // the index of one child in nodes, which the other follows; 0 for a leaf
	cluster  int           // of a leaf
	minusTwo vector.Matrix // the children's centers, times -2
	squares  [2]float64    // of the centers' lengths
}

func newBisecting(e *fitted.Estimator) graph.Node {
	k, _ := newKMeans(e).(*kmeans)
	b := &bisecting{kmeans: k}
	shift := make([]float64, k.minusTwo.Cols)
	if e.Get("_X_mean") != nil {
		shift = e.Floats("_X_mean")
		e.Require(len(shift) == k.minusTwo.Cols, "_X_mean does not fit the features")
	}
	waiting := []*fitted.Estimator{e.Part("_bisecting_tree")}
	for i := 0; i < len(waiting) && e.Ok(); i++ {
		part, node := waiting[i], fork{}
		switch {
		case part.Get("left") == nil:
			node.cluster = part.Int(math.MaxInt32, "label")
			e.Require(node.cluster < k.minusTwo.Rows, "a cluster of its tree has no center")
		case len(waiting)+2 >= 2*k.minusTwo.Rows:
			e.Failf("its tree has more leaves than there are clusters")
		default:
			node.left = len(waiting)
			left, right := part.Member(part.Get("left")), part.Member(part.Get("right"))
			waiting = append(waiting, left, right)
			node.between(e, left, right, shift)
		}
		b.nodes = append(b.nodes, node)
	}
	return b
}

// between reads the centers of two children.
func (f *fork) between(e, left, right *fitted.Estimator, shift []float64) {
	for i, child := range []*fitted.Estimator{left, right} {
		if _, ok := child.Get("center").(*pickle.Array); !ok {
			e.Failf("a center of its tree is %s", pickle.Describe(child.Get("center")))
			return
		}
		center := child.Floats("center")
		e.Require(len(center) == len(shift), "a center of its tree does not fit the features")
		if !e.Alloc(16 * len(center)) {
			return
		}
		center = append([]float64(nil), center...)
		for j, v := range shift {
			center[j] += v
		}
		f.squares[i] = vector.Dot(center, center)
		for j := range center {
			center[j] *= -2
		}
		f.minusTwo.Data = append(f.minusTwo.Data, center...)
		f.minusTwo.Cols = len(center)
	}
	f.minusTwo.Rows = 2
}

func (b *bisecting) Predict(w *graph.Work, _ frame.Method, dst []float64, x frame.Frame) error {
	apart := w.Floats(2)
	for i := range x.Rows {
		row, at := x.Slice(i, i+1), 0
		for b.nodes[at].left > 0 {
			node := &b.nodes[at]
			if err := graph.Product(w, apart, row, node.minusTwo, node.squares[:]); err != nil {
				return err
			}
			at = node.left + argmin(apart)
		}
		dst[i] = float64(b.nodes[at].cluster)
	}
	return nil
}

// SPDX-License-Identifier: Apache-2.0

package trees

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// newTree reads the tree_ of a fitted estimator, with this many values in a leaf. It
// returns the number of features too.
func newTree(e *fitted.Estimator, width int) (t *tree, features int) {
	inner := e.Part("tree_")
	n, _ := inner.Arg(0).(int64)
	outputs, _ := inner.Arg(2).(int64)
	e.Require(outputs == 1, "it predicts several outputs at once, which is not supported")
	e.Require(n > 0 && n < math.MaxInt32, "its tree has no features")
	if !e.Ok() {
		return &tree{}, 0
	}
	features = int(n)
	nodes := inner.Array("nodes")
	e.Require(len(nodes.Shape) == 1 && nodes.Shape[0] > 0, "its tree has no nodes")
	if !e.Ok() {
		return &tree{}, 0
	}
	r := &reader{inner, nodes, nodes.Shape[0]}
	return r.tree(features, width), features
}

// reader reads the nodes of a tree as scikit-learn has them: each names its
// children, which come after it. A leaf has none.
type reader struct {
	*fitted.Estimator
	nodes *pickle.Array
	count int
}

const leaf = -1

func (r *reader) tree(features, width int) *tree {
	t := &tree{missing: r.nodes.Has("missing_go_to_left")}
	const perNode = nodeCost + 4 + 3*4 // what stays, and what is needed to read it
	if !r.Alloc(perNode * r.count) {
		return t
	}
	t.nodes, t.leaves = make([]node, r.count), make([]int32, r.count)
	left := r.order(t)
	if !r.Ok() {
		return t
	}
	inner := func(set func(n *node, v pickle.Number)) func(int, pickle.Number) {
		return func(i int, v pickle.Number) {
			if left[i] != leaf {
				set(&t.nodes[t.leaves[i]], v)
			}
		}
	}
	// Until the end, leaves holds where each of the file's nodes has gone.
	r.Field(r.nodes, "feature", inner(func(n *node, v pickle.Number) {
		r.Require(inside(v.Int, 0, features), "a node of its tree has no such feature")
		n.feature = uint32(v.Int)
	}))
	r.Field(r.nodes, "threshold", inner(func(n *node, v pickle.Number) { n.threshold = below(v.Float) }))
	if t.missing {
		r.Field(r.nodes, "missing_go_to_left", inner(func(n *node, v pickle.Number) {
			if v.Int != 0 {
				n.feature |= missingLeft
			}
		}))
	}
	r.values(t, left, width)
	r.depth(t)
	r.Drop(r.nodes)
	r.Release((perNode - nodeCost - 4) * r.count)
	return t
}

// order puts children side by side, and sets where each node sends its rows. It
// returns the left children in the file's order, and leaves in t.leaves where each
// node has gone.
func (r *reader) order(t *tree) []int32 {
	const noChild = "a node of its tree has no such child"
	left, right := make([]int32, r.count), make([]int32, r.count)
	r.Field(r.nodes, "left_child", func(i int, v pickle.Number) {
		// Children come after their parent, so every walk ends.
		r.Require(v.Int == leaf || inside(v.Int, i+1, r.count), noChild)
		left[i] = int32(v.Int)
	})
	r.Field(r.nodes, "right_child", func(i int, v pickle.Number) {
		r.Require(left[i] == leaf || inside(v.Int, i+1, r.count), noChild)
		right[i] = int32(v.Int)
	})
	if !r.Ok() {
		return left
	}
	place, next := t.leaves, int32(1)
	for i := range left {
		at := place[i]
		if i > 0 && at == 0 {
			r.Failf("a node of its tree has no parent")
			return left
		}
		n := &t.nodes[at]
		if left[i] == leaf {
			n.left, n.threshold = uint32(at), float32(math.Inf(1))
			n.feature = missingLeft // NaN stays too
			if !t.missing {
				n.feature = 0
			}
			continue
		}
		if left[i] == right[i] || place[left[i]] != 0 || place[right[i]] != 0 {
			r.Failf("a node of its tree has two parents")
			return left
		}
		n.left = uint32(next)
		place[left[i]], place[right[i]] = next, next+1
		next += 2
	}
	return left
}

// values gives each leaf its values, and turns t.leaves into their indexes.
func (r *reader) values(t *tree, left []int32, width int) {
	values := r.Array("values")
	r.Require(len(values.Shape) == 3 && values.Shape[0] == r.count && values.Shape[1] == 1 && values.Shape[2] == width, "the values of its tree do not fit the nodes and classes")
	all := r.Floats("values")
	leaves := 0
	for _, l := range left {
		if l == leaf {
			leaves++
		}
	}
	if !r.Alloc(8*width*leaves + 4*r.count) {
		return
	}
	t.values = make([]float64, 0, width*leaves)
	index := make([]int32, r.count)
	for i, l := range left {
		if l == leaf {
			index[t.leaves[i]] = int32(len(t.values))
			t.values = append(t.values, all[i*width:(i+1)*width]...)
		}
	}
	t.leaves = index
	r.Drop(values)
	r.Release(4 * r.count)
}

// depth sets t.depth, the number of nodes on the longest path. In a hostile tree that
// is half of them.
func (r *reader) depth(t *tree) {
	if !r.Alloc(4 * r.count) {
		return
	}
	depths := make([]int32, r.count)
	for i, n := range t.nodes {
		depth := depths[i] + 1
		t.depth = max(t.depth, int(depth))
		if n.left != uint32(i) {
			depths[n.left], depths[n.left+1] = depth, depth
		}
	}
	r.Release(4 * r.count)
}

func inside(n int64, from, to int) bool { return n >= int64(from) && n < int64(to) }

// below returns the largest float32 that is at most v.
func below(v float64) float32 {
	f := float32(v)
	if float64(f) > v {
		return math.Nextafter32(f, float32(math.Inf(-1)))
	}
	return f
}

// fractions turns counts of samples, which scikit-learn stored before 1.3,
// into probabilities. It leaves values that sum to 1 as they are, bit for bit.
func (t *tree) fractions(width int) {
	const rounding = 1e-9
	for i := 0; i < len(t.values); i += width {
		values := t.values[i : i+width]
		sum := 0.0
		for _, v := range values {
			sum += v
		}
		if math.Abs(sum-1) > rounding {
			vector.Normalize(values)
		}
	}
}

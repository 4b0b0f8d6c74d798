// SPDX-License-Identifier: Apache-2.0

package trees

import (
	"math"
	"slices"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// span is some values of a node: those of one output.
type span struct{ from, length int }

// cart reads the tree_ of a fitted estimator. Of the values that the file has for a
// leaf it takes those of the spans.
type cart struct {
	*fitted.Estimator // the tree_
	features          int
	count             int
	nodes             *pickle.Array
}

func newCart(e *fitted.Estimator) *cart {
	inner := e.Part("tree_")
	n, _ := inner.Arg(0).(int64)
	e.Require(n > 0 && n < byCategory, "its tree has no features")
	c := &cart{Estimator: inner, features: int(n)}
	if !e.Ok() {
		return c
	}
	c.nodes = inner.Array("nodes")
	e.Require(len(c.nodes.Shape) == 1 && c.nodes.Shape[0] > 0, "its tree has no nodes")
	if e.Ok() {
		c.count = c.nodes.Shape[0]
	}
	return c
}

// splits reads all of a tree but its leaves.
func (c *cart) splits() *builder[float32] {
	b := newBuilder[float32](c.Estimator, c.nodes, c.count)
	b.links("left_child", "right_child", "")
	b.features("feature", c.features)
	b.inner("threshold", func(n *node[float32], v pickle.Number) { n.threshold = below(v.Float) })
	if c.Ok() && c.nodes.Has("missing_go_to_left") {
		b.missing()
	}
	return b
}

// tree reads a tree whose nodes have values for each of so many outputs.
func (c *cart) tree(outputs int, spans []span) *tree[float32] {
	b := c.splits()
	values := c.Array("values")
	widest := 0
	for _, s := range spans {
		widest = max(widest, s.length)
	}
	shape := values.Shape
	c.Require(len(shape) == 3 && shape[0] == c.count && shape[1] == outputs && shape[2] == widest, "the values of its tree do not fit the nodes and classes")
	all := c.Floats("values")
	b.values(spans, outputs*widest, all)
	c.Drop(values)
	return b.finish()
}

// builder reads the nodes of a tree as a file has them: each names its children,
// which come after it. A leaf has none.
type builder[T number] struct {
	*fitted.Estimator
	nodes *pickle.Array
	count int
	tree  *tree[T]
	left  []int32 // in the file's order: the left child, or leaf
	place []int32 // where each of the file's nodes has gone
}

const leaf = -1

// toRead is the memory that reading a node needs, beside what stays of it.
const toRead = 2 * 4

// stays is the memory of a node and its place in tree.leaves.
func (b *builder[T]) stays() int {
	if _, wide := any(T(0)).(float64); wide {
		return 16 + 4
	}
	return 12 + 4
}

func newBuilder[T number](e *fitted.Estimator, nodes *pickle.Array, count int) *builder[T] {
	b := &builder[T]{Estimator: e, nodes: nodes, count: count, tree: &tree[T]{}}
	if e.Alloc((b.stays() + toRead) * count) {
		b.tree.nodes, b.tree.leaves = make([]node[T], count), make([]int32, count)
		b.left, b.place = make([]int32, count), make([]int32, count)
	}
	return b
}

// inner calls set with one field of the nodes that are no leaves.
func (b *builder[T]) inner(field string, set func(n *node[T], v pickle.Number)) {
	b.Field(b.nodes, field, func(i int, v pickle.Number) {
		if b.left[i] != leaf {
			set(&b.tree.nodes[b.place[i]], v)
		}
	})
}

func (b *builder[T]) features(field string, features int) {
	b.inner(field, func(n *node[T], v pickle.Number) {
		b.Require(inside(v.Int, 0, features), "a node of its tree has no such feature")
		n.feature = uint32(v.Int)
	})
}

func (b *builder[T]) missing() {
	b.inner("missing_go_to_left", func(n *node[T], v pickle.Number) {
		if v.Int != 0 {
			n.feature |= missingLeft
		}
	})
}

// links reads the fields that name the children, and puts these side by side. A leaf is
// what the field named leaves tells, or what has no left child.
func (b *builder[T]) links(left, right, leaves string) {
	const noChild = "a node of its tree has no such child"
	if leaves != "" {
		b.Field(b.nodes, leaves, func(i int, v pickle.Number) {
			if v.Int != 0 {
				b.left[i] = leaf
			}
		})
	}
	b.Field(b.nodes, left, func(i int, v pickle.Number) {
		if leaves != "" && b.left[i] == leaf {
			return
		}
		// Children come after their parent, so every walk ends.
		b.Require(leaves == "" && v.Int == leaf || inside(v.Int, i+1, b.count), noChild)
		b.left[i] = int32(v.Int)
	})
	if !b.Ok() || !b.Alloc(4*b.count) {
		return
	}
	rights := make([]int32, b.count)
	b.Field(b.nodes, right, func(i int, v pickle.Number) {
		b.Require(b.left[i] == leaf || inside(v.Int, i+1, b.count), noChild)
		rights[i] = int32(v.Int)
	})
	b.order(rights)
	b.Release(4 * b.count)
}

// order puts children side by side, and sets where each node sends its rows.
func (b *builder[T]) order(right []int32) {
	if !b.Ok() {
		return
	}
	left, place, next := b.left, b.place, int32(1)
	for i := range left {
		at := place[i]
		if i > 0 && at == 0 {
			b.Failf("a node of its tree has no parent")
			return
		}
		n := &b.tree.nodes[at]
		if left[i] == leaf {
			// Also a row with NaN or infinity stays.
			n.left, n.threshold, n.feature = uint32(at), T(math.Inf(1)), missingLeft
			continue
		}
		if left[i] == right[i] || place[left[i]] != 0 || place[right[i]] != 0 {
			b.Failf("a node of its tree has two parents")
			return
		}
		n.left = uint32(next)
		place[left[i]], place[right[i]] = next, next+1
		next += 2
	}
}

// values gives each leaf the spans of its values. All has perNode values for each node.
func (b *builder[T]) values(spans []span, perNode int, all []float64) {
	leaves, width := 0, 0
	for _, s := range spans {
		width += s.length
	}
	for _, l := range b.left {
		if l == leaf {
			leaves++
		}
	}
	if !b.Alloc(8 * width * leaves) {
		return
	}
	t := b.tree
	t.width, t.values = width, make([]float64, 0, width*leaves)
	for i, l := range b.left {
		if l == leaf {
			t.leaves[b.place[i]] = int32(len(t.values))
			for _, s := range spans {
				from := i*perNode + s.from
				t.values = append(t.values, all[from:from+s.length]...)
			}
		}
	}
}

// labels returns a tree whose leaves have the index of their largest value.
func (t *tree[T]) labels(e *fitted.Estimator) *tree[T] {
	if !e.Alloc(4*len(t.leaves) + 8*len(t.values)/t.width) {
		return t
	}
	out := *t
	out.width, out.values, out.leaves = 1, nil, make([]int32, len(t.leaves))
	for values := range slices.Chunk(t.values, t.width) {
		out.values = append(out.values, float64(vector.Argmax(values)))
	}
	for i, at := range t.leaves {
		out.leaves[i] = at / int32(t.width)
	}
	return &out
}

// depths returns the number of nodes on the path to each, by its place. In a hostile
// tree that is up to half of them.
func (b *builder[T]) depths() []int32 {
	if !b.Alloc(4 * b.count) {
		return nil
	}
	depths := make([]int32, b.count)
	for i, n := range b.tree.nodes {
		depths[i]++
		if n.left != uint32(i) {
			depths[n.left], depths[n.left+1] = depths[i], depths[i]
		}
	}
	return depths
}

// finish returns the tree.
func (b *builder[T]) finish() *tree[T] {
	for _, depth := range b.depths() {
		b.tree.depth = max(b.tree.depth, int(depth))
	}
	if b.Ok() {
		b.Drop(b.nodes)
		b.Release((4 + toRead) * b.count)
	}
	return b.tree
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
func (t *tree[T]) fractions(widths []int) {
	const rounding = 1e-9
	for rest := t.values; len(rest) > 0; {
		for _, width := range widths {
			values := rest[:width]
			rest = rest[width:]
			total := 0.0
			for _, v := range values {
				total += v
			}
			if math.Abs(total-1) > rounding {
				vector.Normalize(values)
			}
		}
	}
}

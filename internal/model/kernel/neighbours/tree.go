// SPDX-License-Identifier: Apache-2.0

package neighbours

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// tree is a k-d tree (Bentley 1975) or a ball tree (Omohundro 1989). Node i has the
// children 2i+1 and 2i+2.
type tree struct {
	nodes  []node
	rows   []int // of the points, in the order of the leaves
	bounds []vector.Matrix
	ball   bool // bounds are centers, and not the lowest and highest values
}

type node struct {
	from, to int // in rows
	leaf     bool
	radius   float64
}

// newTree reads the state of scikit-learn's BinaryTree.
func newTree(e *fitted.Estimator, points *vector.Matrix, ball bool) *tree {
	o, _ := e.Get("_tree").(*pickle.Object)
	var state pickle.Tuple
	if o != nil {
		state, _ = o.Raw.(pickle.Tuple)
	}
	const parts = 4 // data, indexes, nodes and bounds
	if len(state) < parts {
		e.Failf("its tree is malformed")
		return nil
	}
	t := &tree{ball: ball}
	order := e.IntsOf(state[1], "its tree")
	e.Require(len(order) == points.Rows, "its tree has other rows")
	if !e.Alloc(8 * len(order)) {
		return nil
	}
	for _, v := range order {
		e.Require(v >= 0 && v < int64(points.Rows), "its tree has other rows")
		t.rows = append(t.rows, int(v))
	}
	t.readNodes(e, state[2])
	t.readBounds(e, state[3], points.Cols)
	return t
}

func (t *tree) readNodes(e *fitted.Estimator, v any) {
	arr, ok := v.(*pickle.Array)
	n := 0
	if ok {
		n, _ = arr.Count()
	}
	const cost = 32
	e.Require(n > 0 && n <= 4*len(t.rows)+4, "its tree is malformed")
	if !e.Alloc(cost * n) {
		return
	}
	t.nodes = make([]node, n)
	index := func(name string, set func(*node, int)) {
		e.Field(arr, name, func(i int, v pickle.Number) {
			at := v.Int
			e.Require(at >= 0 && at <= int64(len(t.rows)), "its tree has other rows")
			set(&t.nodes[i], int(at))
		})
	}
	index("idx_start", func(n *node, v int) { n.from = v })
	index("idx_end", func(n *node, v int) { n.to = v })
	index("is_leaf", func(n *node, v int) { n.leaf = v != 0 })
	e.Field(arr, "radius", func(i int, v pickle.Number) { t.nodes[i].radius = v.Float })
	for i, one := range t.nodes {
		e.Require(one.from <= one.to && (one.leaf || 2*i+2 < n), "its tree is malformed")
	}
}

func (t *tree) readBounds(e *fitted.Estimator, v any, width int) {
	data := e.FloatsOf(v, "its tree")
	sides := 2
	if t.ball {
		sides = 1
	}
	size := len(t.nodes) * width
	e.Require(len(data) == sides*size, "its tree has other features")
	for i := 0; i < sides && e.Ok(); i++ {
		t.bounds = append(t.bounds, vector.Matrix{Rows: len(t.nodes), Cols: width, Data: data[i*size : (i+1)*size]})
	}
}

// least is a lower bound of the reduced distance from a row to those of a node.
func (t *tree) least(m *metric, i int, row []float64) float64 {
	if t.ball {
		center := m.distance(m.reduced(row, t.bounds[0].Row(i)))
		return m.reduce(max(0, center-t.nodes[i].radius))
	}
	low, high, sum := t.bounds[0].Row(i), t.bounds[1].Row(i), 0.0
	for j, v := range row {
		d := max(low[j]-v, v-high[j], 0)
		switch m.order {
		case 1:
			sum += d
		case 2:
			sum += d * d
		case math.Inf(1):
			sum = max(sum, d)
		default:
			sum += power(d, m.order)
		}
	}
	return sum
}

// search looks for the rows that are nearest, the nearer child first.
func (t *tree) search(w *graph.Work, s *space, h *heap, row []float64, i int, least float64) error {
	n := &t.nodes[i]
	if least > h.far[0] {
		return nil
	}
	if n.leaf {
		t.visit(s, h, row, t.rows[n.from:n.to])
		return w.Steps(4 + (n.to-n.from)*len(row))
	}
	near, far := 2*i+1, 2*i+2
	leastNear, leastFar := t.least(&s.metric, near, row), t.least(&s.metric, far, row)
	if leastFar < leastNear {
		near, far, leastNear, leastFar = far, near, leastFar, leastNear
	}
	if err := t.search(w, s, h, row, near, leastNear); err != nil {
		return err
	}
	return t.search(w, s, h, row, far, leastFar)
}

// visit pushes the points of a leaf, in order.
func (t *tree) visit(s *space, h *heap, row []float64, points []int) {
	for ; s.four != nil && len(points) >= 4; points = points[4:] {
		a, b, c, d := points[0], points[1], points[2], points[3]
		fa, fb, fc, fd := s.four(row, s.points.Row(a), s.points.Row(b), s.points.Row(c), s.points.Row(d))
		h.push(fa, a)
		h.push(fb, b)
		h.push(fc, c)
		h.push(fd, d)
	}
	for _, p := range points {
		h.push(s.reduced(row, s.points.Row(p)), p)
	}
}

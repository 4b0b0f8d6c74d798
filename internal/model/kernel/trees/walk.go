// SPDX-License-Identifier: Apache-2.0

package trees

// tree is a fitted decision tree.
type tree struct {
	nodes   []node
	values  []float64 // width for each leaf
	leaves  []int32   // by node: the index of a leaf's first value
	missing bool      // NaN is a valid value
	depth   int       // nodes on the longest path
}

// node sends a row to its left child if its feature is at most the threshold, and
// else to the one after it. A leaf is its own left child, and sends every row there:
// so a row that has arrived stays, while others go on.
//
// Rows are rounded to float32, as scikit-learn does, and so are thresholds, to the
// next float32 below: this compares as the float64 did.
type node struct {
	threshold float32
	feature   uint32 // and missingLeft
	left      uint32
}

const (
	missingLeft = 1 << 31 // NaN is sent to the left
	nodeCost    = 12      // bytes of a node
)

// next returns where a node sends a row without NaN. It has no branch, which a core
// could not predict.
func (n *node) next(row []float32) uint32 {
	return n.left + one(row[n.feature&^missingLeft] > n.threshold)
}

// nextOrMissing is next for rows with NaN.
func (n *node) nextOrMissing(row []float32) uint32 {
	v := row[n.feature&^missingLeft]
	if v <= n.threshold || v != v && n.feature&missingLeft != 0 { // NaN
		return n.left
	}
	return n.left + 1
}

func one(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// walk calls yield with each row and the index of the first value of its leaf. Holes
// reports whether a value may be NaN.
func (t *tree) walk(x []float32, rows, cols int, holes bool, yield func(row, value int)) {
	i := 0
	if !holes {
		for ; i+4 <= rows; i += 4 {
			a, b, c, d := t.four(x[i*cols:], cols)
			yield(i, int(t.leaves[a]))
			yield(i+1, int(t.leaves[b]))
			yield(i+2, int(t.leaves[c]))
			yield(i+3, int(t.leaves[d]))
		}
	}
	for ; i < rows; i++ {
		yield(i, int(t.leaves[t.find(x[i*cols:(i+1)*cols])]))
	}
}

// walkAll calls yield with each tree and the index of the first value of the leaf of
// one row without NaN.
func walkAll(trees []*tree, row []float32, yield func(t *tree, value int)) {
	for ; len(trees) >= 4; trees = trees[4:] {
		a, b, c, d := fourTrees([4]*tree(trees), row)
		yield(trees[0], int(trees[0].leaves[a]))
		yield(trees[1], int(trees[1].leaves[b]))
		yield(trees[2], int(trees[2].leaves[c]))
		yield(trees[3], int(trees[3].leaves[d]))
	}
	for _, t := range trees {
		yield(t, int(t.leaves[t.find(row)]))
	}
}

// fourTrees returns the leaves of a row in four trees.
func fourTrees(t [4]*tree, row []float32) (a, b, c, d uint32) {
	na, nb, nc, nd := t[0].nodes, t[1].nodes, t[2].nodes, t[3].nodes
	for {
		a1, b1, c1, d1 := na[a].next(row), nb[b].next(row), nc[c].next(row), nd[d].next(row)
		if a1 == a && b1 == b && c1 == c && d1 == d {
			return a, b, c, d
		}
		a, b, c, d = a1, b1, c1, d1
	}
}

// find returns the leaf of a row.
func (t *tree) find(row []float32) uint32 {
	at := uint32(0)
	for {
		n := &t.nodes[at]
		next := n.nextOrMissing(row)
		if next == at {
			return at
		}
		at = next
	}
}

// four returns the leaves of the first four rows of x.
func (t *tree) four(x []float32, cols int) (a, b, c, d uint32) {
	nodes := t.nodes
	xa, xb, xc, xd := x[:cols], x[cols:2*cols], x[2*cols:3*cols], x[3*cols:4*cols]
	for {
		a1, b1, c1, d1 := nodes[a].next(xa), nodes[b].next(xb), nodes[c].next(xc), nodes[d].next(xd)
		if a1 == a && b1 == b && c1 == c && d1 == d {
			return a, b, c, d
		}
		a, b, c, d = a1, b1, c1, d1
	}
}

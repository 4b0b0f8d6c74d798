// SPDX-License-Identifier: Apache-2.0

package trees

// number is the type that a kind of tree compares: float32, to which scikit-learn
// rounds the rows of most trees, or float64.
type number interface{ float32 | float64 }

// tree is a fitted decision tree. A leaf adds its values to those of a row, from
// column on.
type tree[T number] struct {
	nodes  []node[T]
	values []float64 // width for each leaf
	leaves []int32   // by node: the index of a leaf's first value
	sets   []set     // of the splits by category
	width  int
	column int
	depth  int // nodes on the longest path
}

// node sends a row to its left child if its feature is at most the threshold, and
// else to the one after it. A leaf is its own left child, and sends every row there:
// so a row that has arrived stays, while others go on.
//
// A tree of float32 has thresholds that are rounded to the next float32 below: this
// compares as the float64 did.
type node[T number] struct {
	threshold T      // or the index of a set
	feature   uint32 // and flags
	left      uint32
}

// The flags of a node.
const (
	missingLeft = 1 << 31 // NaN is sent to the left
	byCategory  = 1 << 30 // the threshold is the index of a set
	flags       = missingLeft | byCategory
)

// set has the categories that go to the left.
type set [8]uint32

func (s *set) has(category uint8) bool { return s[category/32]>>(category%32)&1 == 1 }

// next returns where a node sends a row. It has no branch, which a core could not
// predict.
func (n *node[T]) next(row []T) uint32 {
	return n.left + one(row[n.feature&^flags] > n.threshold)
}

// nextOrMissing is next for rows with NaN.
func (n *node[T]) nextOrMissing(row []T) uint32 {
	v := row[n.feature&^flags]
	return n.left + (one(v > n.threshold) | one(v != v)&^(n.feature>>31)) // NaN
}

func one(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// find returns the leaf of a row.
func (t *tree[T]) find(row []T) uint32 {
	if len(t.sets) > 0 {
		return t.sort(row)
	}
	for at := uint32(0); ; {
		next := t.nodes[at].nextOrMissing(row)
		if next == at {
			return at
		}
		at = next
	}
}

// sort returns the leaf of a row in a tree with categories.
func (t *tree[T]) sort(row []T) uint32 {
	for at := uint32(0); ; {
		n := &t.nodes[at]
		next := n.left
		switch v := row[n.feature&^flags]; {
		case n.feature&byCategory == 0:
			next = n.nextOrMissing(row)
		case v >= 0 && v < 256:
			next += one(!t.sets[int(n.threshold)].has(uint8(v)))
		default:
			next += 1 - n.feature>>31
		}
		if next == at {
			return at
		}
		at = next
	}
}

// walk sets to[i] to the index of the first value of row i's leaf. Holes reports
// whether a value may be NaN.
func (t *tree[T]) walk(to []int32, x []T, cols int, holes bool) {
	i := 0
	switch {
	case len(t.sets) > 0:
	case holes:
		for ; i+4 <= len(to); i += 4 {
			a, b, c, d := t.fourOrMissing(x[i*cols:], cols)
			to[i], to[i+1], to[i+2], to[i+3] = t.leaves[a], t.leaves[b], t.leaves[c], t.leaves[d]
		}
	case len(to) >= 8:
		for ; i < len(to); i += 8 {
			i = min(i, len(to)-8)
			for k, at := range t.eight(x[i*cols:], cols) {
				to[i+k] = t.leaves[at]
			}
		}
	}
	for ; i < len(to); i++ {
		to[i] = t.leaves[t.find(x[i*cols:(i+1)*cols])]
	}
}

// eight returns the leaves of eight rows without NaN. It has no branch for each step,
// which a core could not predict, and as many steps at once as the core can take.
func (t *tree[T]) eight(x []T, cols int) [8]uint32 {
	const steps = 9 // before it looks whether all have arrived
	nodes := t.nodes
	x = x[:8*cols]
	var a, b, c, d, e, f, g, h uint32
	for left := t.depth - 1; left > 0; left -= steps {
		was := [8]uint32{a, b, c, d, e, f, g, h}
		for range min(left, steps) {
			n := &nodes[a]
			a = n.left + one(x[n.feature&^flags] > n.threshold)
			n = &nodes[b]
			b = n.left + one(x[cols+int(n.feature&^flags)] > n.threshold)
			n = &nodes[c]
			c = n.left + one(x[2*cols+int(n.feature&^flags)] > n.threshold)
			n = &nodes[d]
			d = n.left + one(x[3*cols+int(n.feature&^flags)] > n.threshold)
			n = &nodes[e]
			e = n.left + one(x[4*cols+int(n.feature&^flags)] > n.threshold)
			n = &nodes[f]
			f = n.left + one(x[5*cols+int(n.feature&^flags)] > n.threshold)
			n = &nodes[g]
			g = n.left + one(x[6*cols+int(n.feature&^flags)] > n.threshold)
			n = &nodes[h]
			h = n.left + one(x[7*cols+int(n.feature&^flags)] > n.threshold)
		}
		if left > steps && was == [8]uint32{a, b, c, d, e, f, g, h} {
			break
		}
	}
	return [8]uint32{a, b, c, d, e, f, g, h}
}

// fourOrMissing returns the leaves of the first four rows of x, which may have NaN.
func (t *tree[T]) fourOrMissing(x []T, cols int) (a, b, c, d uint32) {
	nodes := t.nodes
	xa, xb, xc, xd := x[:cols], x[cols:2*cols], x[2*cols:3*cols], x[3*cols:4*cols]
	for {
		a1, b1, c1, d1 := nodes[a].nextOrMissing(xa), nodes[b].nextOrMissing(xb), nodes[c].nextOrMissing(xc), nodes[d].nextOrMissing(xd)
		if a1 == a && b1 == b && c1 == c && d1 == d {
			return a, b, c, d
		}
		a, b, c, d = a1, b1, c1, d1
	}
}

// walkAll sets to[i] to the index of the first value of the leaf of one row without
// NaN in tree i. None of the trees has categories.
func walkAll[T number](to []int32, trees []*tree[T], row []T) {
	i := 0
	for ; i+4 <= len(trees); i += 4 {
		a, b, c, d := fourTrees([4]*tree[T](trees[i:]), row)
		to[i], to[i+1], to[i+2], to[i+3] = trees[i].leaves[a], trees[i+1].leaves[b], trees[i+2].leaves[c], trees[i+3].leaves[d]
	}
	for ; i < len(trees); i++ {
		to[i] = trees[i].leaves[trees[i].find(row)]
	}
}

// fourTrees returns the leaves of a row in four trees.
func fourTrees[T number](t [4]*tree[T], row []T) (a, b, c, d uint32) {
	na, nb, nc, nd := t[0].nodes, t[1].nodes, t[2].nodes, t[3].nodes
	for {
		a1, b1, c1, d1 := na[a].next(row), nb[b].next(row), nc[c].next(row), nd[d].next(row)
		if a1 == a && b1 == b && c1 == c && d1 == d {
			return a, b, c, d
		}
		a, b, c, d = a1, b1, c1, d1
	}
}

// SPDX-License-Identifier: Apache-2.0

package boosting

import (
	"slices"

	"github.com/serin-dev/serin/internal/model/graph"
)

// Walk sends rows through all trees. For each tree it calls add with its index, the
// first of some rows, and the file's numbers of the leaves that these arrive at. A row
// gets its leaves in the order of the trees. Holes reports whether a value may be NaN.
func Walk[T Number](w *graph.Work, trees []*Tree[T], x []T, cols int, holes bool, add func(tree, from int, leaves []int32) error) error {
	const few = 8 // rows, fewer than a core can follow at once
	rows := len(x) / cols
	if rows < few && !holes {
		return walkRows(w, trees, x, cols, add)
	}
	leaves := w.Indexes(rows)
	for i, t := range trees {
		t.walk(leaves, x, cols, holes)
		if err := add(i, 0, leaves); err != nil {
			return err
		}
		if err := w.Steps(rows * t.depth); err != nil {
			return err
		}
	}
	return nil
}

// walkRows is Walk for each row by itself.
func walkRows[T Number](w *graph.Work, trees []*Tree[T], x []T, cols int, add func(tree, from int, leaves []int32) error) error {
	const chunk = 16
	leaves, first := w.Indexes(chunk), 0
	for some := range slices.Chunk(trees, chunk) {
		steps := 0
		for r := range len(x) / cols {
			walkAll(leaves, some, x[r*cols:(r+1)*cols])
			for k, t := range some {
				if err := add(first+k, r, leaves[k:k+1]); err != nil {
					return err
				}
				steps += t.depth
			}
		}
		first += len(some)
		if err := w.Steps(steps); err != nil {
			return err
		}
	}
	return nil
}

// walk sets to[i] to the file's number of the leaf that row i arrives at. Holes reports
// whether a value may be NaN.
func (t *Tree[T]) walk(to []int32, x []T, cols int, holes bool) {
	i := 0
	switch {
	case !t.plain:
	case holes:
		for ; i+4 <= len(to); i += 4 {
			a, b, c, d := t.fourOrMissing(x[i*cols:(i+4)*cols], cols)
			to[i], to[i+1], to[i+2], to[i+3] = t.leaf[a], t.leaf[b], t.leaf[c], t.leaf[d]
		}
	case len(to) >= 8:
		for ; i < len(to); i += 8 {
			i = min(i, len(to)-8)
			for k, at := range t.eight(x[i*cols:(i+8)*cols], cols) {
				to[i+k] = t.leaf[at]
			}
		}
	}
	for ; i < len(to); i++ {
		to[i] = t.one(x[i*cols : (i+1)*cols])
	}
}

// next returns where a node sends a row without NaN.
func (n *node[T]) next(row []T) uint32 {
	return n.left + bit(row[n.feature&^flags] > n.atMost)
}

// nextOrMissing is next for rows with NaN.
func (n *node[T]) nextOrMissing(row []T) uint32 {
	v := row[n.feature&^flags]
	return n.left + (bit(v > n.atMost) | bit(v != v)&^(n.feature>>31))
}

func bit(b bool) uint32 {
	if b {
		return 1
	}
	return 0
}

// eight returns the leaves of eight rows without NaN. It has no branch for each step,
// which a core could not predict, and as many steps at once as the core can take.
func (t *Tree[T]) eight(x []T, cols int) [8]uint32 {
	const steps = 9 // before it looks whether all have arrived
	nodes := t.nodes
	x = x[:8*cols]
	var a, b, c, d, e, f, g, h uint32
	for left := t.depth - 1; left > 0; left -= steps {
		was := [8]uint32{a, b, c, d, e, f, g, h}
		for range min(left, steps) {
			n := &nodes[a]
			a = n.left + bit(x[n.feature&^flags] > n.atMost)
			n = &nodes[b]
			b = n.left + bit(x[cols+int(n.feature&^flags)] > n.atMost)
			n = &nodes[c]
			c = n.left + bit(x[2*cols+int(n.feature&^flags)] > n.atMost)
			n = &nodes[d]
			d = n.left + bit(x[3*cols+int(n.feature&^flags)] > n.atMost)
			n = &nodes[e]
			e = n.left + bit(x[4*cols+int(n.feature&^flags)] > n.atMost)
			n = &nodes[f]
			f = n.left + bit(x[5*cols+int(n.feature&^flags)] > n.atMost)
			n = &nodes[g]
			g = n.left + bit(x[6*cols+int(n.feature&^flags)] > n.atMost)
			n = &nodes[h]
			h = n.left + bit(x[7*cols+int(n.feature&^flags)] > n.atMost)
		}
		if left > steps && was == [8]uint32{a, b, c, d, e, f, g, h} {
			break
		}
	}
	return [8]uint32{a, b, c, d, e, f, g, h}
}

// fourOrMissing returns the leaves of the first four rows of x, which may have NaN.
func (t *Tree[T]) fourOrMissing(x []T, cols int) (a, b, c, d uint32) {
	nodes := t.nodes
	xa, xb, xc, xd := x[:cols], x[cols:][:cols], x[2*cols:][:cols], x[3*cols:][:cols]
	for {
		a1, b1, c1, d1 := nodes[a].nextOrMissing(xa), nodes[b].nextOrMissing(xb), nodes[c].nextOrMissing(xc), nodes[d].nextOrMissing(xd)
		if a1 == a && b1 == b && c1 == c && d1 == d {
			return a, b, c, d
		}
		a, b, c, d = a1, b1, c1, d1
	}
}

// walkAll sets to[i] to the file's number of the leaf that one row without NaN arrives
// at in tree i.
func walkAll[T Number](to []int32, trees []*Tree[T], row []T) {
	i := 0
	for ; i+4 <= len(trees); i += 4 {
		t := [4]*Tree[T](trees[i:])
		if !t[0].plain || !t[1].plain || !t[2].plain || !t[3].plain {
			for k, one := range t {
				to[i+k] = one.one(row)
			}
			continue
		}
		a, b, c, d := fourTrees(t, row)
		to[i], to[i+1], to[i+2], to[i+3] = t[0].leaf[a], t[1].leaf[b], t[2].leaf[c], t[3].leaf[d]
	}
	for ; i < len(trees); i++ {
		to[i] = trees[i].one(row)
	}
}

// fourTrees returns the leaves of a row in four trees.
func fourTrees[T Number](t [4]*Tree[T], row []T) (a, b, c, d uint32) {
	na, nb, nc, nd := t[0].nodes, t[1].nodes, t[2].nodes, t[3].nodes
	for {
		a1, b1, c1, d1 := na[a].next(row), nb[b].next(row), nc[c].next(row), nd[d].next(row)
		if a1 == a && b1 == b && c1 == c && d1 == d {
			return a, b, c, d
		}
		a, b, c, d = a1, b1, c1, d1
	}
}

func (t *Tree[T]) one(row []T) int32 {
	for at := uint32(0); ; {
		n := &t.nodes[at]
		next := uint32(0)
		switch {
		case n.feature&(byCategory|zeroMissing) == 0:
			next = n.nextOrMissing(row)
		case n.feature&byCategory != 0:
			next = n.left + bit(!t.sets[int(n.atMost)].left(float64(row[n.feature&^flags]), n.feature>>31 == 1))
		default:
			next = n.nextOrZero(row)
		}
		if next == at {
			return t.leaf[at]
		}
		at = next
	}
}

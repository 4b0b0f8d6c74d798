// SPDX-License-Identifier: Apache-2.0

// Package boosting has the trees of XGBoost and LightGBM.
//
// It is apart from the trees of scikit-learn because these libraries have sets of
// categories of any size, treat zero as missing, and number their leaves. What a leaf
// is worth, and how trees are summed, is for the reader of a format to know.
package boosting

import (
	"errors"
	"math"

	"github.com/serin-dev/serin/internal/model/budget"
)

// Number is what a library compares: XGBoost float32, LightGBM float64.
type Number interface{ float32 | float64 }

// Split is a node as a file has it.
type Split[T Number] struct {
	Leaf        bool
	Left, Right int // nodes
	Feature     int
	AtMost      T    // the largest value that goes to the left
	MissingLeft bool // NaN goes to the left
	ZeroMissing bool // zero goes where NaN goes
	Set         *Set // of a split by category
}

// Set has the categories of a split.
type Set struct {
	Bits    []uint32
	Left    bool    // its members go to the left, others to the right, or the other way round
	Above   float64 // a category is more than this, and truncated to an integer
	Missing bool    // what the bits have no place for goes where NaN goes, and not where others go
}

// Tree is a tree whose nodes have 12 or 16 bytes, and whose children lie side by
// side.
type Tree[T Number] struct {
	nodes []node[T]
	leaf  []int32 // by node: the number of the leaf in the file
	sets  []*Set
	plain bool // no node has a set, or takes zero for missing
	depth int  // nodes on the longest path
}

// node sends a row to its left child, or to the one after it. A leaf is its own left
// child and keeps all rows.
type node[T Number] struct {
	atMost  T
	feature uint32 // and flags
	left    uint32
}

const (
	missingLeft = 1 << 31
	zeroMissing = 1 << 30
	byCategory  = 1 << 29
	flags       = missingLeft | zeroMissing | byCategory

	// MaxFeatures is the number of features that a tree may tell apart.
	MaxFeatures = 1 << 24
	nodeBytes   = 16 + 4 + 8 + 8 + 1 // of memory, with what is needed to read it
)

// New returns the tree whose root is the first node. Nodes that it does not reach are
// left out. All features are below width.
func New[T Number](b *budget.Budget, splits []Split[T], width int) (*Tree[T], error) {
	if len(splits) == 0 {
		return nil, errors.New("a tree has no nodes")
	}
	if err := b.Alloc(nodeBytes * len(splits)); err != nil {
		return nil, err
	}
	t := &Tree[T]{nodes: make([]node[T], 1, len(splits)), leaf: make([]int32, 0, len(splits)), plain: true}
	order := make([]int, 1, len(splits)) // the file's number of each node; the root is 0
	depth := make([]int, 1, len(splits))
	seen := make([]bool, len(splits))
	seen[0] = true
	for at := 0; at < len(order); at++ {
		s := &splits[order[at]]
		t.leaf = append(t.leaf, int32(order[at]))
		t.depth = depth[at] + 1
		if s.Leaf {
			t.nodes[at] = node[T]{left: uint32(at), feature: missingLeft, atMost: T(math.Inf(1))}
			continue
		}
		for _, child := range []int{s.Left, s.Right} {
			if child < 0 || child >= len(splits) || seen[child] {
				return nil, errors.New("a node of a tree has no such child")
			}
			seen[child] = true
			order, depth = append(order, child), append(depth, t.depth)
		}
		if s.Feature < 0 || s.Feature >= min(width, MaxFeatures) {
			return nil, errors.New("a node of a tree has no such feature")
		}
		t.nodes[at] = t.node(s, uint32(len(t.nodes)))
		t.nodes = append(t.nodes, node[T]{}, node[T]{})
	}
	return t, nil
}

func (t *Tree[T]) node(s *Split[T], left uint32) node[T] {
	n := node[T]{atMost: s.AtMost, feature: uint32(s.Feature), left: left}
	if n.atMost != n.atMost { // nothing is less than NaN
		n.atMost = T(math.Inf(-1))
	}
	if s.MissingLeft {
		n.feature |= missingLeft
	}
	if s.ZeroMissing {
		n.feature |= zeroMissing
		t.plain = false
	}
	if s.Set != nil {
		n.feature |= byCategory
		n.atMost = T(len(t.sets))
		t.sets = append(t.sets, s.Set)
		t.plain = false
	}
	return n
}

// nextOrZero is next for a node that takes zero for missing.
func (n *node[T]) nextOrZero(row []T) uint32 {
	const zero = 1e-35 // LightGBM's kZeroThreshold
	if v := float64(row[n.feature&^flags]); v >= -zero && v <= zero || v != v {
		return n.left + 1 - n.feature>>31
	}
	return n.nextOrMissing(row)
}

// left reports whether a category goes to the left.
func (s *Set) left(v float64, missing bool) bool {
	switch outside := !(v > s.Above && v < float64(32*len(s.Bits))); {
	case v != v, outside && s.Missing:
		return missing
	case outside:
		return !s.Left
	}
	c := uint32(v)
	return (s.Bits[c/32]>>(c%32)&1 == 1) == s.Left
}

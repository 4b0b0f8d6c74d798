// SPDX-License-Identifier: Apache-2.0

package trees

import (
	"math"
	"math/rand/v2"
	"testing"
)

// random returns a tree of n inner nodes, whose leaves have one value each.
func random(r *rand.Rand, n, cols int) *tree {
	t := &tree{nodes: []node{{}}, missing: true}
	open := []uint32{0}
	for range n {
		k := r.IntN(len(open))
		at := open[k]
		left := uint32(len(t.nodes))
		t.nodes = append(t.nodes, node{}, node{})
		feature := uint32(r.IntN(cols))
		if r.IntN(2) == 0 {
			feature |= missingLeft
		}
		t.nodes[at] = node{threshold: float32(r.IntN(5)), feature: feature, left: left}
		open = append(append(open[:k], open[k+1:]...), left, left+1)
	}
	t.leaves = make([]int32, len(t.nodes))
	for _, at := range open {
		t.nodes[at] = node{threshold: float32(math.Inf(1)), feature: missingLeft, left: at}
		t.leaves[at] = int32(len(t.values))
		t.values = append(t.values, r.Float64())
	}
	return t
}

// plainly walks as the definition of a decision tree says.
func (t *tree) plainly(row []float32) int {
	at := uint32(0)
	for t.nodes[at].left != at {
		n := t.nodes[at]
		v := row[n.feature&^missingLeft]
		goLeft := v <= n.threshold
		if math.IsNaN(float64(v)) {
			goLeft = n.feature&missingLeft != 0
		}
		if at = n.left; !goLeft {
			at++
		}
	}
	return int(t.leaves[at])
}

func TestRowsEndInTheirLeaf(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		cols, rows := 1+r.IntN(4), 1+r.IntN(11)
		var all []*tree
		for range 1 + r.IntN(9) {
			all = append(all, random(r, r.IntN(20), cols))
		}
		x, holes := make([]float32, rows*cols), r.IntN(2) == 0
		for i := range x {
			x[i] = float32(r.IntN(7) - 1)
			if holes && r.IntN(3) == 0 {
				x[i] = float32(math.NaN())
			}
		}
		seen := 0
		for _, one := range all {
			one.walk(x, rows, cols, holes, func(row, value int) {
				seen++
				if want := one.plainly(x[row*cols : (row+1)*cols]); value != want {
					t.Fatalf("row %d ends at %d, want %d", row, value, want)
				}
			})
		}
		if seen != rows*len(all) {
			t.Fatalf("%d leaves for %d rows and %d trees", seen, rows, len(all))
		}
		if holes {
			continue
		}
		next := 0
		walkAll(all, x[:cols], func(one *tree, value int) {
			if one != all[next] || value != one.plainly(x[:cols]) {
				t.Fatalf("tree %d: at %d, want %d", next, value, all[next].plainly(x[:cols]))
			}
			next++
		})
	}
}

func TestThresholdsCompareAsTheirFloat64(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 100_000 {
		x := math.Float32frombits(r.Uint32())
		v := math.Float64frombits(r.Uint64())
		if r.IntN(2) == 0 { // close to x
			v = float64(x) * (1 + (r.Float64()-0.5)*1e-7)
		}
		if math.IsNaN(float64(x)) || math.IsNaN(v) {
			continue
		}
		if got, want := x <= below(v), float64(x) <= v; got != want {
			t.Fatalf("%v <= %v: %t as float32", x, v, got)
		}
	}
}

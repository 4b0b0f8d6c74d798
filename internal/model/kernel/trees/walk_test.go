// SPDX-License-Identifier: Apache-2.0

package trees

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/model/graph"
)

// random returns a tree of n inner nodes, whose leaves have one value each.
func random[T number](r *rand.Rand, n, cols int, categories bool) *tree[T] {
	t := &tree[T]{nodes: make([]node[T], 1), width: 1}
	open := []uint32{0}
	for range n {
		k := r.IntN(len(open))
		at := open[k]
		left := uint32(len(t.nodes))
		t.nodes = append(t.nodes, make([]node[T], 2)...)
		feature := uint32(r.IntN(cols))
		if r.IntN(2) == 0 {
			feature |= missingLeft
		}
		t.nodes[at] = node[T]{threshold: T(r.IntN(5)), feature: feature, left: left}
		if categories && r.IntN(2) == 0 {
			t.nodes[at].feature |= byCategory
			t.nodes[at].threshold = T(len(t.sets))
			t.sets = append(t.sets, set{r.Uint32()})
		}
		open = append(append(open[:k], open[k+1:]...), left, left+1)
	}
	t.leaves = make([]int32, len(t.nodes))
	for _, at := range open {
		t.nodes[at] = node[T]{threshold: T(math.Inf(1)), feature: missingLeft, left: at}
		t.leaves[at] = int32(len(t.values))
		t.values = append(t.values, r.Float64())
	}
	depths := make([]int, len(t.nodes))
	for i, n := range t.nodes {
		if depths[i]++; n.left != uint32(i) {
			depths[n.left], depths[n.left+1] = depths[i], depths[i]
		}
		t.depth = max(t.depth, depths[i])
	}
	return t
}

// plainly walks as the definition of a decision tree says.
func (t *tree[T]) plainly(row []T) int32 {
	at := uint32(0)
	for t.nodes[at].left != at {
		n := t.nodes[at]
		v := row[n.feature&^flags]
		goLeft := v <= n.threshold
		if n.feature&byCategory != 0 && v == v {
			category := uint8(v)
			goLeft = t.sets[int(n.threshold)][category/32]&(1<<(category%32)) != 0
		}
		if v != v { // NaN
			goLeft = n.feature&missingLeft != 0
		}
		if at = n.left; !goLeft {
			at++
		}
	}
	return t.leaves[at]
}

func TestRowsEndInTheirLeaf(t *testing.T) {
	t.Run("rounded", rowsEndInTheirLeaf[float32])
	t.Run("exact", rowsEndInTheirLeaf[float64])
}

func rowsEndInTheirLeaf[T number](t *testing.T) {
	t.Helper()
	r := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		cols, rows := 1+r.IntN(4), 1+r.IntN(11)
		holes, categories := r.IntN(2) == 0, r.IntN(3) == 0
		var all []*tree[T]
		for range 1 + r.IntN(9) {
			all = append(all, random[T](r, r.IntN(60), cols, categories))
		}
		x := make([]T, rows*cols)
		for i := range x {
			if x[i] = T(r.IntN(7)); !categories {
				x[i]--
			}
			if holes && r.IntN(3) == 0 {
				x[i] = T(math.NaN())
			}
		}
		s := &sum[T]{trees: all, width: 1, sorting: categories}
		want, got := make([]float64, rows), make([]float64, rows)
		for i := range rows {
			for _, one := range all {
				want[i] += one.values[one.plainly(x[i*cols:(i+1)*cols])]
			}
		}
		for _, way := range []func(*graph.Work, []float64, []T, int) error{
			func(w *graph.Work, dst []float64, x []T, cols int) error { return s.add(w, dst, x, cols, holes) },
			func(w *graph.Work, dst []float64, x []T, cols int) error { return s.byTree(w, dst, x, cols, holes) },
			func(w *graph.Work, dst []float64, x []T, cols int) error {
				if holes || categories {
					return s.add(w, dst, x, cols, holes)
				}
				return s.byRow(w, dst, x, cols)
			},
		} {
			clear(got)
			if err := way(&graph.Work{}, got, x, cols); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("sums (-want +got):\n%s", diff)
			}
		}
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

// SPDX-License-Identifier: Apache-2.0

package columns

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/vector"
)

// sparseRows are 3 rows of 4 columns, in the middle of a larger block.
func sparseRows() frame.Frame {
	x := frame.Frame{Rows: 5, Cols: 4, Data: []float64{9, -2, 0.5, 3, 1e-300, 7}, Starts: []int{0, 1, 3, 3, 5, 6}, Index: []int32{0, 1, 3, 0, 2, 1}}
	return x.Slice(1, 4)
}

func TestSparseBlocksBecomeWhatDenseOnesDo(t *testing.T) {
	input := func() graph.Input { return graph.Input{Schema: frame.Schema{Width: 4}, Sparse: true} }
	nodes := map[string]graph.Transformer{
		"a scaler that divides": &scaler{input: input(), div: []float64{2, 4, 0.1, 3}, clip: true, low: -1, high: 1},
		"the norm l1":           &normalizer{input: input(), norm: vector.Norm("l1")},
		"the norm l2":           &normalizer{input: input(), norm: vector.Norm("l2")},
		"the norm max":          &normalizer{input: input(), norm: vector.Norm("max")},
		"a threshold":           &binarizer{input: input(), threshold: 0.75},
		"a selection":           &selection{input: input(), keep: []int{1, 2}, place: []int32{-1, 0, 1, -1}},
		"components":            &projection{input: input(), components: vector.Matrix{Rows: 2, Cols: 4, Data: []float64{1, 2, 3, 4, -1, 0, 1, 2}}, zeros: make([]float64, 2)},
		"a weighted union":      &union{input: input(), parts: []part{{weight: 1, node: &binarizer{input: input()}}, {weight: 0.5}}, width: 8},
	}
	for name, node := range nodes {
		t.Run(name, func(t *testing.T) {
			w := &graph.Work{}
			want, err := node.Transform(w, dense(sparseRows()))
			if err != nil {
				t.Fatal(err)
			}
			got, err := node.Transform(w, sparseRows())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(dense(want), dense(got)); diff != "" {
				t.Errorf("rows (-dense +sparse):\n%s", diff)
			}
		})
	}
}

// dense returns a block as a dense one.
func dense(x frame.Frame) frame.Frame {
	if !x.Sparse() {
		return x
	}
	out := frame.Dense(x.Rows, x.Cols, make([]float64, x.Rows*x.Cols))
	for i := range x.Rows {
		columns, values := x.Entries(i)
		for k, c := range columns {
			out.Row(i)[c] = values[k]
		}
	}
	return out
}

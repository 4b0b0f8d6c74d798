// SPDX-License-Identifier: Apache-2.0

package trees

import (
	"errors"
	"testing"

	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
)

// chain is a tree of one long path.
func chain(nodes int) *tree[float32] {
	t := &tree[float32]{values: []float64{1}, width: 1, depth: nodes, nodes: make([]node[float32], nodes), leaves: make([]int32, nodes)}
	for i := range t.nodes {
		t.nodes[i] = node[float32]{threshold: 1, left: uint32(min(i+1, nodes-1))}
	}
	return t
}

func TestPredictionsStopWhenToldTo(t *testing.T) {
	gone := errors.New("gone")
	trees := make([]*tree[float32], 100)
	trees[0] = chain(1 << 18)
	for i := range trees {
		trees[i] = trees[0]
	}
	for name, rows := range map[string]int{"one row": 1, "a block": 8} {
		f := &forest{input: graph.Input{Schema: frame.Schema{Width: 1}}, sum: sum[float32]{trees: trees, width: 1}, classes: []int{1}}
		f.Outputs = graph.Outputs{graph.Labels(frame.Int64, []any{int64(0)}), graph.List(1)}
		asked := 0
		err := graph.New(f, "forest", 1).Predict(func() error {
			if asked++; asked == 3 {
				return gone
			}
			return nil
		}, frame.Predict, &frame.Result{}, frame.Dense(rows, 1, make([]float64, rows)))
		if !errors.Is(err, gone) || asked != 3 {
			t.Errorf("%s: asked %d times: %v", name, asked, err)
		}
	}
}

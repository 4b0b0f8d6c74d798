// SPDX-License-Identifier: Apache-2.0

package trees

import (
	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
)

// embedding is RandomTreesEmbedding: a column for each leaf of its trees, which is 1
// for the rows that end there. The value of a leaf is its column.
type embedding struct {
	input graph.Input
	trees []*tree[float32]
	width int
}

// unknown is the column of a leaf in which no row of the training ended.
const unknown = -1

func newEmbedding(e *fitted.Estimator) graph.Node {
	m := &embedding{}
	trees := members(e, e.List("estimators_"))
	leaves := e.Part("one_hot_encoder_").List("categories_")
	e.Require(len(leaves) == len(trees), "its categories do not fit its trees")
	features := 0
	for i, one := range trees {
		c := newCart(one)
		if i == 0 {
			features = c.features
			m.input = e.Input(features)
			m.input.Single = true
			m.input.AllowNaN = allowsNaN(one) && e.Version() >= 104
		}
		e.Require(c.features == features, "its trees have different features")
		if !e.Ok() {
			return m
		}
		m.trees = append(m.trees, m.plant(c, leaves[i]))
	}
	return m
}

// plant reads a tree, and the nodes that are its leaves.
func (m *embedding) plant(c *cart, leaves any) *tree[float32] {
	nodes := c.IntsOf(leaves, "categories_")
	if !c.Alloc(8 * c.count) {
		return nil
	}
	columns := make([]float64, c.count)
	for i := range columns {
		columns[i] = unknown
	}
	for _, n := range nodes {
		if !inside(n, 0, c.count) {
			c.Failf("a category is no leaf of its tree")
			return nil
		}
		columns[n] = float64(m.width)
		m.width++
	}
	b := c.splits()
	b.values([]span{{0, 1}}, 1, columns)
	c.Release(8 * c.count)
	return b.finish()
}

func (m *embedding) Input() *graph.Input { return &m.input }

func (m *embedding) Width() int { return m.width }

// Transform makes a sparse block, with one value for each tree.
func (m *embedding) Transform(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	rounded := singles(w, x)
	found := w.Indexes(x.Rows * len(m.trees)) // one tree after the other
	for k, t := range m.trees {
		t.walk(found[k*x.Rows:(k+1)*x.Rows], rounded, x.Cols, true)
		if err := w.Steps(x.Rows * (1 + t.depth)); err != nil {
			return x, err
		}
	}
	out := frame.Frame{Rows: x.Rows, Cols: m.width, Data: w.Floats(len(found)), Starts: w.Ints(x.Rows + 1), Index: w.Indexes(len(found))}
	n := 0
	for i := range x.Rows {
		out.Starts[i] = n
		for k, t := range m.trees {
			if column := t.values[found[k*x.Rows+i]]; column != unknown {
				out.Data[n], out.Index[n] = 1, int32(column)
				n++
			}
		}
	}
	out.Starts[x.Rows] = n
	out.Data, out.Index = out.Data[:n], out.Index[:n]
	return out, nil
}

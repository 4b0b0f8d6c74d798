// SPDX-License-Identifier: Apache-2.0

package columns

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// union is FeatureUnion.
type union struct {
	input graph.Input
	parts []part
	width int
	thin  bool
}

func newUnion(e *fitted.Estimator) graph.Node {
	u, weights := &union{}, weights(e)
	for _, item := range e.List("transformer_list") {
		pair := fitted.Items(item)
		name, ok := "", len(pair) == 2
		if ok {
			name, ok = pair[0].(string)
		}
		if !ok {
			e.Failf("a transformer is %s", pickle.Describe(item))
		}
		if !e.Alloc(partCost) {
			return u
		}
		if pair[1] == any("drop") || pair[1] == any(pickle.None{}) {
			continue
		}
		u.parts = append(u.parts, branch(e, name, pair[1], weights))
	}
	u.finish(e)
	return u
}

// finish finds out what the branches take, which is the same for all.
func (u *union) finish(e *fitted.Estimator) {
	whole := false // one of them takes all columns, whatever they are
	for i := range u.parts {
		t := u.parts[i].node
		if t == nil || t.Input().Width == 0 {
			whole = true
			continue
		}
		in := t.Input()
		if u.input.Width == 0 {
			u.input = graph.Input{Class: e.Class(), Schema: in.Schema}
		}
		if in.Width != u.input.Width || in.Flat != u.input.Flat {
			e.Failf("its transformers expect different features")
		}
		u.input.Share(&in.Schema)
		if len(in.Kinds) > 0 {
			u.input.Kinds = in.Kinds
		}
	}
	if whole {
		u.input.Picked = nil
	}
	e.Require(u.input.Width > 0, "it does not tell how many features it was fitted on")
	u.input.AllowNaN, u.input.AllowInf, u.input.Sparse = true, true, true
	for i := range u.parts {
		p := &u.parts[i]
		p.stretch(u.input.Width)
		u.thin = u.thin || isThin(p.node)
		if p.node == nil {
			u.width += u.input.Width
		} else {
			u.width += p.width()
		}
	}
	e.Require(u.width > 0 && u.width <= math.MaxInt32, "it makes no columns")
}

func (u *union) Input() *graph.Input { return &u.input }

func (u *union) Width() int { return u.width }

// Thin reports whether blocks may be sparse.
func (u *union) Thin() bool { return u.thin }

func (u *union) Transform(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	return join(w, u.parts, x)
}

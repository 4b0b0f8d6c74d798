// SPDX-License-Identifier: Apache-2.0

package columns

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// part is a branch of a ColumnTransformer or a FeatureUnion.
type part struct {
	node    graph.Transformer // nil for the columns as they are
	columns []int             // nil for all
	names   []string          // of columns, if the estimator knows them
	weight  float64
}

func (p *part) width() int {
	if p.node == nil {
		return len(p.columns)
	}
	return p.node.Width()
}

// transform returns the columns that the branch makes of a block.
func (p *part) transform(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	if p.columns != nil {
		named := len(x.Names) > 0
		x = graph.Select(w, x, p.columns)
		if named {
			x.Names = p.names
		}
	}
	var err error
	if p.node != nil {
		x, err = graph.Transform(w, p.node, x)
	}
	if err == nil && p.weight != 1 {
		x = p.weigh(w, x)
	}
	return x, err
}

func (p *part) weigh(w *graph.Work, x frame.Frame) frame.Frame {
	if x.Sparse() {
		x = thin(w, x)
	} else {
		data := w.Floats(len(x.Data))
		copy(data, x.Data)
		x.Data = data
	}
	for i := range x.Data {
		x.Data[i] *= p.weight
	}
	return x
}

// join puts what the branches made side by side.
func join(w *graph.Work, parts []part, x frame.Frame) (frame.Frame, error) {
	made := make([]frame.Frame, len(parts))
	sparse := false
	for i := range parts {
		var err error
		if made[i], err = parts[i].transform(w, x); err != nil {
			return x, err
		}
		sparse = sparse || made[i].Sparse()
	}
	for i := range made {
		if !sparse || len(made[i].Texts) == 0 {
			continue
		}
		if err := graph.Numbers(w, &made[i]); err != nil {
			return x, err
		}
	}
	if len(made) == 1 {
		made[0].Names = nil
		return made[0], nil
	}
	return graph.Join(w, made), nil
}

// weights returns those of the branches by their names.
func weights(e *fitted.Estimator) map[string]any {
	if e.Get("transformer_weights") == nil {
		return nil
	}
	return e.Dict("transformer_weights")
}

// branch reads an estimator, with its name and columns.
func branch(e *fitted.Estimator, name string, v any, weights map[string]any) part {
	p := part{weight: 1}
	if weight, ok := weights[name]; ok {
		p.weight = number(e, weight, "transformer_weights")
	}
	if v != any("passthrough") {
		p.node = e.AsTransformer(e.Node(v))
	}
	return p
}

// stretch tells a branch how wide its blocks are, if it does not know.
func (p *part) stretch(width int) {
	if t, ok := p.node.(graph.Elastic); ok && t.Input().Width == 0 {
		t.SetWidth(width)
	}
}

// columnTransformer is ColumnTransformer.
type columnTransformer struct {
	input   graph.Input
	parts   []part
	width   int
	thin    bool
	named   bool // columns are chosen by name
	pandas3 bool
}

func newTransformer(e *fitted.Estimator) graph.Node {
	c := &columnTransformer{pandas3: e.Version() >= pandas3}
	indices, weights := e.Dict("_transformer_to_input_indices"), weights(e)
	c.input = e.Input(width(e))
	c.input.AllowNaN, c.input.AllowInf = true, true
	for _, item := range e.List("transformers_") {
		triple := fitted.Items(item)
		name, ok := "", len(triple) == 3
		if ok {
			name, ok = triple[0].(string)
		}
		if !ok {
			e.Failf("a transformer is %s", pickle.Describe(item))
		}
		if !e.Alloc(partCost) {
			return c
		}
		columns := c.columns(e, indices[name])
		if len(columns) == 0 || triple[1] == any("drop") {
			continue
		}
		c.named = c.named || byName(triple[2])
		p := branch(e, name, triple[1], weights)
		p.columns = columns
		for _, j := range columns {
			if len(c.input.Names) > 0 {
				p.names = append(p.names, c.input.Names[j])
			}
		}
		p.stretch(len(columns))
		if e.Ok() && p.node != nil && p.node.Input().Width != len(columns) {
			e.Failf("%s expects %d features, but gets %d", p.node.Input().Class, p.node.Input().Width, len(columns))
		}
		c.parts = append(c.parts, p)
	}
	c.finish(e)
	return c
}

const partCost = 256 // bytes of a branch

// columns reads the positions of a branch's columns.
func (c *columnTransformer) columns(e *fitted.Estimator, v any) []int {
	l, ok := v.(*pickle.List)
	if !ok {
		e.Failf("the columns of a transformer are %s", pickle.Describe(v))
		return nil
	}
	var out []int
	for _, v := range l.Items {
		j, ok := v.(int64)
		if !ok || j < 0 || j >= int64(c.input.Width) || !e.Alloc(32) {
			e.Failf("a column of a transformer is out of range")
			return nil
		}
		out = append(out, int(j))
	}
	return out
}

// byName reports whether a file chooses columns by their names, which numpy's arrays
// do not have. Pandas' Index counts as names.
func byName(v any) bool {
	if o, ok := v.(*pickle.Object); ok && o.Class.Name != "slice" {
		data, ok := o.State.Entries["data"] // scikit-learn's list of the remainder
		if !ok {
			return true
		}
		v = data
	}
	// A name is not looked for any deeper: a file may put a list into itself.
	switch v := v.(type) {
	case *pickle.List:
		return isName(v.Items, 0)
	case pickle.Tuple:
		return isName(v, 0)
	case *pickle.Array:
		return v.Kind() == 'U' || isName(v.Objects, 0)
	case *pickle.Object:
		return v.Class.Name != "slice" || isName(v.Args, 0) || isName(v.Args, 1)
	}
	return isName([]any{v}, 0)
}

func isName(values []any, i int) bool {
	if i >= len(values) {
		return false
	}
	_, ok := values[i].(string)
	return ok
}

// finish finds out what the columns may hold, and how wide the result is.
func (c *columnTransformer) finish(e *fitted.Estimator) {
	used := map[int]frame.Kind{}
	for i := range c.parts {
		p := &c.parts[i]
		c.width += p.width()
		c.thin = c.thin || isThin(p.node)
		if !e.Alloc(partCost * len(p.columns)) {
			return
		}
		for k, j := range p.columns {
			kind := frame.Numbers
			if p.node != nil {
				kind = p.node.Input().Kind(k)
				c.input.Example(j, p.node.Input().Examples[k])
			}
			if was, ok := used[j]; ok && was != kind {
				kind = frame.Anything
			}
			used[j] = kind
		}
	}
	e.Require(len(c.parts) > 0 && c.width > 0 && c.width <= math.MaxInt32, "it makes no columns")
	if e.Alloc(2 * c.input.Width) {
		c.describe(used)
	}
}

// describe notes which columns are used, and for what.
func (c *columnTransformer) describe(used map[int]frame.Kind) {
	kinds, mixed := make([]frame.Kind, c.input.Width), false
	picked := make([]bool, c.input.Width)
	for j := range kinds {
		kind, ok := used[j]
		picked[j] = ok
		if !ok {
			kind = frame.Anything
		}
		kinds[j] = kind
		mixed = mixed || kind != frame.Numbers
	}
	if mixed {
		c.input.Kinds = kinds
	}
	if len(c.input.Names) > 0 {
		c.input.Picked = picked
	}
}

func isThin(t graph.Transformer) bool {
	n, ok := t.(graph.Thin)
	return ok && n.Thin()
}

func (c *columnTransformer) Input() *graph.Input { return &c.input }

func (c *columnTransformer) Width() int { return c.width }

// Thin reports whether blocks may be sparse.
func (c *columnTransformer) Thin() bool { return c.thin }

func (c *columnTransformer) Transform(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	if c.named && len(x.Names) == 0 {
		return x, frame.InputError("Specifying the columns using strings is only supported for dataframes: send each instance as an object, with a value for each column")
	}
	if c.pandas3 {
		x = nulls(w, x)
	}
	return join(w, c.parts, x)
}

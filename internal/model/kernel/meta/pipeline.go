// SPDX-License-Identifier: Apache-2.0

package meta

import (
	"slices"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// transformers are those of a Pipeline, one after the other.
type transformers []graph.Transformer

func (c transformers) Input() *graph.Input { return c[0].Input() }

func (c transformers) Width() int { return c[len(c)-1].Width() }

func (c transformers) Transform(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	x, err := c[0].Transform(w, x) // checked by the caller
	for _, t := range c[1:] {
		if err != nil {
			return x, err
		}
		x, err = graph.Transform(w, t, x)
	}
	return x, err
}

// Thin implements graph.Thin.
func (c transformers) Thin() bool {
	t, ok := c[len(c)-1].(graph.Thin)
	return ok && t.Thin()
}

// End implements fitted.Ender.
func (c transformers) End() graph.Node { return c[len(c)-1] }

// pipeline is a Pipeline that predicts.
type pipeline struct {
	before transformers
	graph.Predictor
}

func (p *pipeline) Input() *graph.Input { return p.before.Input() }

func (p *pipeline) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	x, err := p.before.Transform(w, x)
	if err != nil {
		return err
	}
	return graph.Predict(w, p.Predictor, m, dst, x)
}

// End implements fitted.Ender.
func (p *pipeline) End() graph.Node { return p.Predictor }

// dual is a Pipeline whose last step predicts and transforms, as KMeans does.
type dual struct {
	pipeline
	transformers
}

func (d *dual) Input() *graph.Input { return d.transformers.Input() }

// End implements fitted.Ender.
func (d *dual) End() graph.Node { return d.transformers.End() }

// empty is a Pipeline without steps. It is left out of others.
type empty struct{}

func (empty) Input() *graph.Input { return &graph.Input{Class: "Pipeline"} }

// newPipeline returns the node of the last step if there is only one.
func newPipeline(e *fitted.Estimator) graph.Node {
	steps := steps(e)
	if len(steps) == 0 {
		return empty{}
	}
	stretch(steps)
	var before transformers
	for _, n := range steps[:len(steps)-1] {
		before = append(before, e.AsTransformer(n))
	}
	end := steps[len(steps)-1]
	sparse := false
	for i, t := range before {
		next := steps[i+1].Input()
		if e.Ok() && !fits(next, t.Width()) {
			e.Failf("%s gives %d features, but %s expects %d", t.Input().Class, t.Width(), next.Class, next.Width)
		}
		if sparse = staysSparse(t, sparse); sparse && next.NoSparse {
			e.Failf("%s of sparse rows is not supported", next.Class)
		}
	}
	p, predicts := end.(graph.Predictor)
	t, transforms := end.(graph.Transformer)
	switch {
	case len(before) == 0:
		return end
	case predicts && transforms:
		return &dual{pipeline{before, p}, append(slices.Clone(before), t)}
	case predicts:
		return &pipeline{before, p}
	}
	return append(before, e.AsTransformer(end))
}

// staysSparse reports whether scikit-learn's blocks after a step are sparse, as those
// before it may be.
func staysSparse(t graph.Transformer, before bool) bool {
	if s, ok := t.(graph.Sparser); ok {
		return s.Sparse()
	}
	thin, ok := t.(graph.Thin)
	return ok && thin.Thin() && (before || !t.Input().Sparse)
}

// stretch tells steps that do not know how wide their blocks are: from those after
// them, or else from those before.
func stretch(steps []graph.Node) {
	for i := len(steps) - 2; i >= 0; i-- {
		if t, ok := steps[i].(graph.Elastic); ok && t.Input().Width == 0 {
			t.SetWidth(steps[i+1].Input().Width)
		}
	}
	for i := 1; i < len(steps); i++ {
		t, ok := steps[i].(graph.Elastic)
		before, makes := steps[i-1].(graph.Transformer)
		if ok && makes && t.Input().Width == 0 {
			t.SetWidth(before.Width())
		}
	}
}

// steps builds the estimators of a Pipeline.
func steps(e *fitted.Estimator) []graph.Node {
	var all []graph.Node
	for _, item := range e.List("steps") {
		e.Work(1)
		pair := fitted.Items(item)
		if len(pair) == 2 && fitted.Skipped(pair[1]) {
			continue
		}
		if len(pair) != 2 {
			e.Failf("a step is %s", pickle.Describe(item))
		}
		if !e.Ok() {
			return nil
		}
		if n := e.Node(pair[1]); n != graph.Node(empty{}) {
			all = append(all, n)
		}
	}
	return all
}

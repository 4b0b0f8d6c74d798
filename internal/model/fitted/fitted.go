// SPDX-License-Identifier: Apache-2.0

// Package fitted turns what a file says about fitted estimators into nodes of a
// graph.
//
// Build takes the value of a pickle and looks up the constructor of each estimator
// by its public name. A constructor gets an Estimator, reads the attributes that
// predicting needs, checks that they fit together, and copies them: a node keeps
// nothing of the file. Estimators within an estimator are built the same way.
//
// An estimator without a constructor does not end the build: all of them become
// one error, so that the owner of a model learns of everything at once.
package fitted

import (
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

const (
	// maxDepth bounds the nesting of estimators: a hostile one may contain itself.
	maxDepth = 16
	// estimatorCost is the memory of an estimator without its arrays, in bytes. Each
	// mention is charged, because a file can mention an estimator many times.
	estimatorCost = 1 << 10
	slotCost      = 64 // of a value in a container
)

// newest is the newest scikit-learn that the tests know: 109 is 1.9.
const newest = 109

// A Constructor makes the node of an estimator.
type Constructor func(*Estimator) graph.Node

// Classes has constructors by the public names of their classes, such as
// "sklearn.svm.SVC".
type Classes map[string]Constructor

// Table joins tables. No two of them have the same name.
func Table(tables ...Classes) Classes {
	all := Classes{}
	for _, t := range tables {
		maps.Copy(all, t)
	}
	return all
}

// find returns the constructor of a class and its public name, which scikit-learn
// before 0.22 had in modules that are no longer there: sklearn.svm.classes.SVC.
func (c Classes) find(g *pickle.Global) (Constructor, string) {
	public := g.Public()
	if made, ok := c[public]; ok {
		return made, public
	}
	if parts := strings.Split(g.Module, "."); len(parts) > 2 {
		if old := parts[0] + "." + parts[1] + "." + g.Name; c[old] != nil {
			return c[old], old
		}
	}
	return nil, public
}

// advice says what to do with a model that has unsupported estimators.
const advice = "your own Python can serve this model, if you trust the file: set runtime: serin-python (docs/howto/your-own-python.md)"

// Build returns the model that a value of a file describes.
func Build(value any, b *budget.Budget, classes Classes) (frame.Model, error) {
	all := &builder{Budget: b, classes: classes}
	root, err := all.node(value, 0, false)
	switch missing := strings.Join(all.missing, ", "); {
	case len(all.missing) == 1:
		return nil, fmt.Errorf("%s is not supported: %s", missing, advice)
	case len(all.missing) > 1:
		return nil, fmt.Errorf("%s are not supported: %s", missing, advice)
	case all.failed != nil:
		return nil, all.failed
	case err != nil:
		return nil, err
	}
	p, ok := root.(graph.Predictor)
	if !ok {
		return nil, fmt.Errorf("the model ends in %s, which predicts nothing: save a Pipeline that ends in an estimator with predict", last(root).Input().Class)
	}
	return graph.New(p, last(root).Input().Class, all.widest, all.remarks...), nil
}

// Ender is a node whose answers are those of another one, as a pipeline's are those
// of its last step.
type Ender interface{ End() graph.Node }

func last(n graph.Node) graph.Node {
	for {
		e, ok := n.(Ender)
		if !ok {
			return n
		}
		n = e.End()
	}
}

type builder struct {
	*budget.Budget
	classes Classes
	missing []string // public names of classes without a constructor, the outermost first
	failed  error    // of the first estimator that cannot be built
	widest  int      // dense block between two nodes
	remarks []string // on the model
}

// node builds an estimator. One that cannot be built becomes a placeholder, so that
// others are read too. The error ends the build.
func (b *builder) node(value any, depth int, shared bool) (graph.Node, error) {
	o, ok := value.(*pickle.Object)
	_, name := value.(*pickle.Global)
	switch {
	case name, ok && len(o.State.Entries) == 0 && o.Raw == nil:
		return b.fail(fmt.Errorf("the file holds %s, not an estimator; nothing was executed", pickle.Describe(value)))
	case !ok:
		return b.fail(bundle(value))
	}
	if depth == maxDepth {
		return nil, errors.New("estimators are nested too deeply")
	}
	if err := errors.Join(b.Alloc(estimatorCost), b.Work(len(o.State.Entries))); err != nil {
		return nil, err
	}
	construct, public := b.classes.find(o.Class)
	class := public[strings.LastIndexByte(public, '.')+1:]
	if construct == nil {
		return placeholder{&graph.Input{Class: class}}, b.miss(o, public)
	}
	e := &Estimator{builder: b, object: o, depth: depth, shared: shared || o.Shared, failure: &failure{}, class: class}
	if e.Version() > newest {
		version, _ := e.Get("_sklearn_version").(string)
		e.Remark(frame.Newer("scikit-learn", pickle.Quote(version), fmt.Sprintf("%d.%d", newest/100, newest%100)))
	}
	n := construct(e)
	if !e.Ok() {
		if _, about := errors.AsType[sentence](e.failure.err); about {
			return b.fail(e.describe())
		}
		return nil, e.failure.err
	}
	return n, b.measure(n)
}

// fail notes an estimator that cannot be built.
func (b *builder) fail(err error) (graph.Node, error) {
	if b.failed == nil {
		b.failed = err
	}
	return placeholder{&graph.Input{}}, nil
}

// measure notes how wide the blocks before and after a node are. It charges the kinds of
// columns that the model will tell of, and the row that a node makes, dense also if it may
// be sparse: a small file can say that it is wide.
func (b *builder) measure(n graph.Node) error {
	in := n.Input()
	if !in.Sparse {
		b.widest = max(b.widest, in.Width)
	}
	t, ok := n.(graph.Transformer)
	if !ok {
		return b.Alloc(slotCost * len(in.Kinds))
	}
	if thin, ok := n.(graph.Thin); !ok || !thin.Thin() {
		b.widest = max(b.widest, t.Width())
	}
	return b.Alloc(slotCost*len(in.Kinds) + 8*t.Width())
}

// placeholder stands for an estimator that is not supported, so that those around
// it can be read.
type placeholder struct{ input *graph.Input }

func (p placeholder) Input() *graph.Input { return p.input }

func (placeholder) Width() int { return 0 }

func (placeholder) Transform(*graph.Work, frame.Frame) (frame.Frame, error) {
	return frame.Frame{}, errPlaceholder
}

func (placeholder) Output(frame.Method) (frame.Output, bool) { return frame.Output{}, false }

func (placeholder) Predict(*graph.Work, frame.Method, []float64, frame.Frame) error {
	return errPlaceholder
}

var errPlaceholder = errors.New("an estimator is missing")

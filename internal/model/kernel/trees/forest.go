// SPDX-License-Identifier: Apache-2.0

package trees

import (
	"strings"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/vector"
)

// forest is the mean of its trees, or one tree alone.
type forest struct {
	input graph.Input
	graph.Outputs
	sum[float32]
	classes []int // of each output; empty for a regression
	// labels has the class of each leaf, if there is one tree and one output.
	labels sum[float32]
}

func newTreeClassifier(e *fitted.Estimator) graph.Node {
	f := &forest{}
	f.classify(e)
	f.plant(e, []*fitted.Estimator{e})
	return f
}

func newTreeRegressor(e *fitted.Estimator) graph.Node {
	f := &forest{}
	f.plant(e, []*fitted.Estimator{e})
	return f
}

func newForestClassifier(e *fitted.Estimator) graph.Node {
	f := &forest{}
	f.classify(e)
	f.plant(e, members(e, e.List("estimators_")))
	return f
}

func newForestRegressor(e *fitted.Estimator) graph.Node {
	f := &forest{}
	f.plant(e, members(e, e.List("estimators_")))
	return f
}

// members returns the estimators of a list.
func members(e *fitted.Estimator, list []any) []*fitted.Estimator {
	e.Require(len(list) > 0, "it has no estimators_")
	var all []*fitted.Estimator
	for _, v := range list {
		if all = append(all, e.Member(v)); !e.Ok() {
			return nil
		}
	}
	return all
}

// classify reads the classes of each output.
func (f *forest) classify(e *fitted.Estimator) {
	labels := e.LabelsOfAll()
	width := 0
	for _, classes := range labels.Classes {
		f.classes = append(f.classes, len(classes))
		width += len(classes)
	}
	proba := graph.List(width)
	if len(f.classes) > 1 {
		proba.Parts = f.classes
	}
	f.Outputs = graph.Outputs{labels, proba, {}}
}

// plant reads the trees of an estimator.
func (f *forest) plant(e *fitted.Estimator, trees []*fitted.Estimator) {
	features := 0
	var spans []span
	for i, one := range trees {
		c := newCart(one)
		if i == 0 {
			features, spans = c.features, f.spans(c)
			f.finish(e, one, len(spans), features)
		}
		e.Require(c.features == features, "its trees have different features")
		t := c.tree(len(spans), spans)
		if !e.Ok() {
			return
		}
		if len(f.classes) > 0 {
			t.fractions(f.classes)
		}
		f.trees = append(f.trees, t)
		f.width = t.width
	}
	if len(f.trees) == 1 && len(f.classes) == 1 && f.width > 0 {
		f.labels = sum[float32]{trees: []*tree[float32]{f.trees[0].labels(e)}, width: 1}
	}
	e.Wide(f.width)
}

// spans are where the values of each output lie: those of its classes, or one. An output
// with few classes has as many values as that with the most.
func (f *forest) spans(c *cart) []span {
	var spans []span
	most := 0
	for _, classes := range f.classes {
		most = max(most, classes)
	}
	for i, classes := range f.classes {
		spans = append(spans, span{i * most, classes})
	}
	outputs, _ := c.Arg(2).(int64)
	switch {
	case len(f.classes) > 0:
		c.Require(outputs == int64(len(f.classes)), "its tree has other outputs")
	case inside(outputs, 1, 1<<20) && c.Alloc(16*int(outputs)):
		for i := range int(outputs) {
			spans = append(spans, span{i, 1})
		}
	default:
		c.Failf("its tree has no outputs")
	}
	return spans
}

// finish describes the forest. First is one of its trees.
func (f *forest) finish(e, first *fitted.Estimator, outputs, features int) {
	f.input = e.Input(features)
	f.input.Single = true
	f.input.AllowNaN = allowsNaN(first) && (first == e || e.Version() >= 104)
	if len(f.classes) > 0 {
		return
	}
	f.Outputs[frame.Predict] = graph.OneOrList(outputs)
}

// allowsNaN reports whether a tree by itself takes missing values.
func allowsNaN(e *fitted.Estimator) bool {
	version, splitter := e.Version(), e.Text("best", "splitter")
	forgotten := version == 106 && e.Class() == "ExtraTreeRegressor"
	if strings.HasPrefix(e.Class(), "ExtraTree") && version >= 106 && splitter != "random" && !forgotten {
		return false
	}
	if version >= 109 {
		return true
	}
	switch e.Text("", "criterion") {
	case "gini", "log_loss", "entropy", "squared_error", "friedman_mse", "poisson":
	default:
		return false
	}
	switch {
	case version >= 106:
		return e.Get("monotonic_cst") == nil
	case version >= 104:
		return splitter == "best" && e.Get("monotonic_cst") == nil
	default:
		return version == 103 && splitter == "best"
	}
}

func (f *forest) Input() *graph.Input { return &f.input }

func (f *forest) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	if m == frame.PredictProba || len(f.classes) == 0 {
		return f.mean(w, dst, x)
	}
	if len(f.labels.trees) > 0 {
		clear(dst)
		return f.labels.add(w, dst, singles(w, x), x.Cols, holed(x))
	}
	scores := w.Floats(x.Rows * f.width)
	if err := f.mean(w, scores, x); err != nil {
		return err
	}
	for i := range x.Rows {
		row := scores[i*f.width:]
		for k, classes := range f.classes {
			dst[i*len(f.classes)+k] = float64(vector.Argmax(row[:classes]))
			row = row[classes:]
		}
	}
	return nil
}

// mean fills dst with the mean of the trees.
func (f *forest) mean(w *graph.Work, dst []float64, x frame.Frame) error {
	clear(dst)
	err := f.add(w, dst, singles(w, x), x.Cols, holed(x))
	for i := range dst {
		dst[i] /= float64(len(f.trees))
	}
	return err
}

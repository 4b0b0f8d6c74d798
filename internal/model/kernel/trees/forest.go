// SPDX-License-Identifier: Apache-2.0

package trees

import (
	"slices"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/vector"
)

// forest is RandomForestClassifier, the mean of the probabilities of its trees, and
// DecisionTreeClassifier, which is one tree.
type forest struct {
	input graph.Input
	graph.Outputs
	trees []*tree
}

func newDecisionTree(e *fitted.Estimator) graph.Node {
	f := &forest{}
	labels := e.Labels()
	if !e.Ok() {
		return f
	}
	f.finish(e, labels, f.add(e, len(labels.Classes[0])))
	return f
}

func newForest(e *fitted.Estimator) graph.Node {
	f := &forest{}
	labels := e.Labels()
	members := e.List("estimators_")
	e.Require(len(members) > 0, "it has no estimators_")
	features := 0
	for _, v := range members {
		if !e.Ok() {
			return f
		}
		n := f.add(e.Member(v), len(labels.Classes[0]))
		e.Require(features == 0 || n == features, "its trees have different features")
		features = n
	}
	f.finish(e, labels, features)
	return f
}

// add reads a tree and returns the number of its features.
func (f *forest) add(e *fitted.Estimator, classes int) int {
	t, features := newTree(e, classes)
	t.fractions(classes)
	f.trees = append(f.trees, t)
	return features
}

func (f *forest) finish(e *fitted.Estimator, labels frame.Output, features int) {
	f.input = e.Input(features)
	f.input.Single = true
	if !e.Ok() {
		return
	}
	f.input.AllowNaN = f.trees[0].missing
	for _, t := range f.trees {
		e.Require(t.missing == f.trees[0].missing, "its trees are of different versions")
	}
	f.Outputs = graph.Outputs{labels, graph.List(len(labels.Classes[0])), {}}
}

func (f *forest) Input() *graph.Input { return &f.input }

func (f *forest) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	if m == frame.PredictProba {
		return f.probabilities(w, dst, x)
	}
	width := f.width()
	scores := w.Floats(x.Rows * width)
	if err := f.probabilities(w, scores, x); err != nil {
		return err
	}
	for i := range dst {
		dst[i] = float64(vector.Argmax(scores[i*width : (i+1)*width]))
	}
	return nil
}

// probabilities fills dst with the mean of the trees. Each row's sum is in the order
// of the trees.
func (f *forest) probabilities(w *graph.Work, dst []float64, x frame.Frame) error {
	const few = 4 // rows, which a core can not follow at once
	rows, holes := singles(w, x)
	clear(dst)
	var err error
	if x.Rows < few && !holes {
		err = f.byRow(w, dst, rows, x.Cols)
	} else {
		err = f.byTree(w, dst, rows, x.Cols, holes)
	}
	for i := range dst {
		dst[i] /= float64(len(f.trees))
	}
	return err
}

func (f *forest) byTree(w *graph.Work, dst []float64, x []float32, cols int, holes bool) error {
	width, rows := f.width(), len(x)/cols
	for _, t := range f.trees {
		t.walk(x, rows, cols, holes, func(row, value int) { t.add(dst[row*width:(row+1)*width], value) })
		if err := w.Steps(rows * (width + t.depth)); err != nil {
			return err
		}
	}
	return nil
}

func (f *forest) byRow(w *graph.Work, dst []float64, x []float32, cols int) error {
	width := f.width()
	for trees := range slices.Chunk(f.trees, 16) {
		steps := 0
		for i := range len(x) / cols {
			sum := dst[i*width : (i+1)*width]
			walkAll(trees, x[i*cols:(i+1)*cols], func(t *tree, value int) {
				t.add(sum, value)
				steps += width + t.depth
			})
		}
		if err := w.Steps(steps); err != nil {
			return err
		}
	}
	return nil
}

func (f *forest) width() int { return f.Outputs[frame.PredictProba].Width }

// add adds the values of a leaf to a row's sum.
func (t *tree) add(sum []float64, value int) {
	for i, p := range t.values[value : value+len(sum)] {
		sum[i] += p
	}
}

// singles rounds a block to float32, and reports whether there is a NaN.
func singles(w *graph.Work, x frame.Frame) (out []float32, holes bool) {
	out = w.Singles(len(x.Data))
	for i, v := range x.Data {
		out[i] = float32(v)
		holes = holes || v != v // NaN
	}
	return out, holes
}

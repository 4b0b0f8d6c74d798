// SPDX-License-Identifier: Apache-2.0

// Package cluster has the estimators that find the nearest of some centers.
package cluster

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/vector"
)

// Classes are the estimators of this package.
var Classes = fitted.Classes{
	"sklearn.cluster.AffinityPropagation": newPlain,
	"sklearn.cluster.Birch":               newBirch,
	"sklearn.cluster.BisectingKMeans":     newBisecting,
	"sklearn.cluster.KMeans":              newKMeans,
	"sklearn.cluster.MeanShift":           newPlain,
	"sklearn.cluster.MiniBatchKMeans":     newKMeans,
}

// nearest answers which center is the nearest to a row. What it compares is what
// scikit-learn compares, so that it rounds in the same way.
type nearest struct {
	input graph.Input
	graph.Outputs
	minusTwo vector.Matrix // the centers, times -2
	squares  []float64     // of each center's length
	// whole makes it compare |x|^2 - 2xc + |c|^2, of which those of a row that is far
	// from all centers are equal, and not |c|^2 - 2xc.
	whole bool
}

// newNearest reads the centers, which have an index or a label each.
func newNearest(e *fitted.Estimator, t frame.Type, names ...string) *nearest {
	centers := e.Matrix(names...)
	n := &nearest{input: e.Input(centers.Cols)}
	e.Require(centers.Rows > 0, "it has no centers")
	if !e.Alloc(8*(len(centers.Data)+centers.Rows) + labelCost*centers.Rows) {
		return n
	}
	n.minusTwo = vector.Matrix{Rows: centers.Rows, Cols: centers.Cols, Data: make([]float64, len(centers.Data))}
	for i, v := range centers.Data {
		n.minusTwo.Data[i] = -2 * v
	}
	labels := make([]any, centers.Rows)
	for i := range labels {
		row := centers.Row(i)
		n.squares, labels[i] = append(n.squares, vector.Dot(row, row)), int64(i)
	}
	n.Outputs[frame.Predict] = graph.Labels(t, labels)
	e.Wide(centers.Rows)
	return n
}

const labelCost = 32

func (n *nearest) Input() *graph.Input { return &n.input }

func (n *nearest) Predict(w *graph.Work, _ frame.Method, dst []float64, x frame.Frame) error {
	k := n.minusTwo.Rows
	apart, add := w.Floats(x.Rows*k), n.squares
	if n.whole {
		add = w.Floats(k)
		clear(add)
	}
	if err := graph.Product(w, apart, x, n.minusTwo, add); err != nil {
		return err
	}
	for i := range x.Rows {
		row := apart[i*k : (i+1)*k]
		if n.whole {
			square := squareOf(&x, i)
			for j, v := range row {
				row[j] = max(square+v+n.squares[j], 0)
			}
		}
		dst[i] = float64(argmin(row))
	}
	return w.Steps(len(apart))
}

// squareOf returns the square of the length of row i.
func squareOf(x *frame.Frame, i int) float64 {
	if x.Sparse() {
		_, values := x.Entries(i)
		return vector.Dot(values, values)
	}
	return vector.Dot(x.Row(i), x.Row(i))
}

// argmin returns the first index of the smallest value.
func argmin(values []float64) int {
	best := 0
	for i, v := range values {
		if v < values[best] {
			best = i
		}
	}
	return best
}

// newPlain makes AffinityPropagation and MeanShift.
func newPlain(e *fitted.Estimator) graph.Node {
	n := newNearest(e, frame.Int64, "cluster_centers_")
	n.whole = true
	return n
}

// kmeans also transforms, to the distances to all centers.
type kmeans struct{ *nearest }

// newKMeans makes KMeans (Lloyd 1982) and MiniBatchKMeans.
func newKMeans(e *fitted.Estimator) graph.Node {
	n := newNearest(e, frame.Int32, "cluster_centers_")
	e.Require(e.Array("cluster_centers_").Size() == 8, "its centers are no float64, so scikit-learn itself refuses the rows of a request")
	n.input.Sparse = true
	return &kmeans{n}
}

// newBirch makes Birch (Zhang, Ramakrishnan and Livny 1996), whose centers share the
// labels of larger clusters.
func newBirch(e *fitted.Estimator) graph.Node {
	labels := e.Array("subcluster_labels_")
	n := newNearest(e, frame.Int64, "subcluster_centers_")
	n.input.Sparse, n.whole = true, true
	values := e.Values(labels)
	for _, v := range values {
		_, ok := v.(int64)
		e.Require(ok, "subcluster_labels_ holds no integers")
	}
	e.Require(len(values) == n.minusTwo.Rows, "subcluster_labels_ does not fit the centers")
	if e.Ok() {
		n.Outputs[frame.Predict].Classes = [][]any{values}
	}
	return &kmeans{n}
}

// Width implements graph.Transformer.
func (k *kmeans) Width() int { return k.minusTwo.Rows }

// Transform implements graph.Transformer. The distance of a row that is a center is
// rounding alone, as it is scikit-learn's: about 1e-8 of the row's length.
func (k *kmeans) Transform(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	out := w.Dense(x.Rows, k.Width())
	if err := graph.Product(w, out.Data, x, k.minusTwo, k.squares); err != nil {
		return out, err
	}
	for i := range x.Rows {
		square, row := squareOf(&x, i), out.Row(i)
		for j, v := range row {
			row[j] = math.Sqrt(max(v+square, 0))
		}
	}
	return out, w.Steps(4 * len(out.Data))
}

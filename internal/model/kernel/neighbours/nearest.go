// SPDX-License-Identifier: Apache-2.0

package neighbours

import (
	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
)

// voters asks the k nearest rows (Fix and Hodges 1951).
type voters struct {
	space
	answers
	k          int
	byDistance bool
}

func newClassifier(e *fitted.Estimator) graph.Node {
	n := &voters{space: newSpace(e), byDistance: weighted(e)}
	n.unchanged(e)
	n.answers, n.k = newClasses(e, n.points.Rows), neighbours(e, n.points.Rows, "n_neighbors")
	n.loose.alike = n.same
	return n
}

func newRegressor(e *fitted.Estimator) graph.Node {
	n := &voters{space: newSpace(e), byDistance: weighted(e)}
	n.answers, n.k = newNumbers(e, n.points.Rows), neighbours(e, n.points.Rows, "n_neighbors")
	n.loose.alike = n.same
	return n
}

func (n *voters) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	h, width := heap{w.Floats(n.k), w.Ints(n.k)}, n.Outputs[m].Width
	counts := w.Floats(n.Outputs[frame.PredictProba].Width)
	return n.search(w, &h, x, func(i int) error {
		weigh(h.far, n.byDistance)
		out := dst[i*width : (i+1)*width]
		if n.classes == nil {
			n.mean(out, h.row, h.far)
		} else {
			n.count(counts, h.row, h.far)
			n.decide(m, out, counts)
		}
		return w.Steps(n.k*n.width + width)
	})
}

// outliers is LocalOutlierFactor (Breunig, Kriegel, Ng and Sander 2000).
type outliers struct {
	space
	graph.Outputs
	k      int
	reach  []float64 // the distance of each row to its k-th neighbour
	dense  []float64 // the local reachability density of each row
	offset float64
}

func newOutliers(e *fitted.Estimator) graph.Node {
	o := &outliers{space: newSpace(e), dense: e.Floats("_lrd"), offset: e.Number("offset_")}
	o.k = neighbours(e, o.points.Rows, "n_neighbors_")
	e.Require(e.Flag("novelty"), "novelty is False, so scikit-learn itself answers for no other rows")
	far := e.Matrix("_distances_fit_X_")
	e.Require(far.Rows == o.points.Rows && far.Cols >= o.k && len(o.dense) == far.Rows, "its distances do not fit the rows")
	if !e.Alloc(8 * far.Rows) {
		return o
	}
	for i := range far.Rows {
		o.reach = append(o.reach, far.Row(i)[o.k-1])
	}
	o.Outputs = graph.Outputs{graph.Labels(frame.Int64, []any{int64(-1), int64(1)}), {}, graph.One()}
	return o
}

func (o *outliers) Predict(w *graph.Work, m frame.Method, dst []float64, x frame.Frame) error {
	h := heap{w.Floats(o.k), w.Ints(o.k)}
	return o.search(w, &h, x, func(i int) error {
		reach, dense := 0.0, 0.0
		for j, r := range h.row {
			reach += max(h.far[j], o.reach[r])
			dense += o.dense[r]
		}
		const least = 1e-10
		k := float64(o.k)
		dst[i] = -dense/k*(reach/k+least) - o.offset
		if m == frame.Predict && dst[i] < 0 {
			dst[i] = 0
		} else if m == frame.Predict {
			dst[i] = 1
		}
		return nil
	})
}

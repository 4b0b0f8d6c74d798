// SPDX-License-Identifier: Apache-2.0

package neighbours

import (
	"math"
	"slices"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// space is the rows that an estimator was fitted on, and their metric.
type space struct {
	input graph.Input
	metric
	points vector.Matrix // has no values if they are elsewhere
	tree   *tree         // nil to look at all rows
	thin   *thin         // nil if the points are dense

	// Without a tree, the points lie in lanes for Euclidean and Manhattan distances. An
	// Euclidean distance is |x|^2 - 2xy + |y|^2: the lanes have -2y, and squares |y|^2.
	lanes   vector.Lanes
	squares []float64 // nil for other distances
	// chosen reports whether numpy's partition chooses the nearest, and not a heap.
	chosen bool
	loose  looseness
}

func (s *space) Input() *graph.Input { return &s.input }

func newSpace(e *fitted.Estimator) space {
	file, dense := e.Get("_fit_X").(*pickle.Array)
	double := dense && file.Kind() == 'f' && file.Size() == 8
	s := space{}
	s.read(e, dense)
	s.input.AllowNaN = s.name == "nan_euclidean"
	e.Require(s.points.Rows > 0, "it was fitted on no rows")
	if !e.Ok() {
		return s
	}
	switch method := e.Text("", "_fit_method"); method {
	case "kd_tree", "ball_tree":
		e.Require(method == "ball_tree" || s.order > 0, "a k-d tree has no such metric")
		e.Require(s.name != "nan_euclidean" && s.name != "correlation" && s.name != "cosine", "a tree has no such metric")
		s.tree = newTree(e, &s.points, method == "ball_tree")
	case "brute":
		s.chosen = !double || !s.heaped(e)
		if s.chosen && s.name == "braycurtis" {
			s.reduced = summed
		}
		s.loosen(e, dense)
		s.expand(e)
		s.hold(e)
	default:
		e.Failf("the method %s is not supported", pickle.Quote(method))
	}
	return s
}

// read reads the points and their metric.
func (s *space) read(e *fitted.Estimator, dense bool) {
	brute := e.Text("", "_fit_method") == "brute"
	if !dense && brute {
		x := e.Rows("_fit_X")
		s.points = vector.Matrix{Rows: x.Rows, Cols: x.Cols}
		s.metric = newMetric(e, x.Cols)
		if s.thin = newThin(x, &s.metric); s.thin != nil && !s.thin.fill(e, &s.metric) {
			s.thin = nil
		}
	}
	switch {
	case s.thin != nil:
	case brute:
		s.points = e.Own("_fit_X") // to lay them out
	default:
		s.points = e.Matrix("_fit_X")
	}
	s.metric, s.input = newMetric(e, s.points.Cols), e.Input(s.points.Cols)
	s.input.Sparse = s.thin != nil
}

// heaped reports whether scikit-learn looks for the nearest rows of float64 with a heap, as
// it does from 1.1 on for most metrics.
func (s *space) heaped(e *fitted.Estimator) bool {
	switch s.name {
	case "nan_euclidean", "correlation", "hamming", "mahalanobis":
		return false
	}
	return s.name != "cosine" && e.Version() >= 101
}

// expand lays the points out for blocks of rows, in the memory where they are.
func (s *space) expand(e *fitted.Estimator) {
	euclidean := s.name == "euclidean" || s.name == "l2" || s.name == "sqeuclidean"
	laid := euclidean || s.order == 1 || s.name == "cosine"
	if s.thin != nil || !laid || !e.Alloc(8*(vector.LanesSize(s.points.Cols)+s.points.Rows)) {
		return
	}
	switch {
	case s.name == "cosine":
		s.lanes = directions(&s.points)
		return
	case !euclidean:
		s.lanes = vector.NewLanes(&s.points, 1)
		return
	}
	s.squares = make([]float64, s.points.Rows)
	for i := range s.squares {
		s.squares[i] = dot(s.points.Row(i), s.points.Row(i))
	}
	s.lanes = vector.NewLanes(&s.points, -2)
}

// dot rounds as vector.Lanes does: so rows that are equally far, but for rounding, come
// in scikit-learn's order.
func dot(x, y []float64) float64 {
	sum := 0.0
	for i, v := range x {
		sum = math.FMA(v, y[i], sum)
	}
	return sum
}

// each calls use with the reduced distances of each row to all points. They are valid
// until the next call, and so is what use takes of w.
func (s *space) each(w *graph.Work, x frame.Frame, use func(i int, far []float64) error) error {
	const (
		values = 1 << 15
		least  = 4 // rows, which share what is read of the points
	)
	n, most := s.points.Rows, min(max(values/s.points.Rows, least), x.Rows)
	stride := max(n, s.lanes.Stride())
	all := w.Floats(most * stride)
	mark := w.Mark()
	for from := 0; from < x.Rows; from += most {
		part := x.Slice(from, min(from+most, x.Rows))
		steps := 2 * n * s.points.Cols
		if s.thin != nil {
			steps = s.thin.steps()
			s.thin.measure(w, all, stride, part)
		} else {
			s.measure(all, stride, part)
		}
		if err := w.Steps(part.Rows * steps); err != nil {
			return err
		}
		for i := range part.Rows {
			if err := use(from+i, all[i*stride:][:n]); err != nil {
				return err
			}
			w.Release(mark)
		}
	}
	return nil
}

// measure fills dst with the reduced distances of rows to all points.
func (s *space) measure(dst []float64, stride int, x frame.Frame) {
	switch {
	case s.lanes.Rows == 0:
		for i := range x.Rows {
			s.rows(dst[i*stride:][:s.points.Rows], x.Row(i), &s.points)
		}
		return
	case s.name == "cosine":
		s.lanes.Products(dst, x.Data)
		for i := range x.Rows {
			turn(dst[i*stride:(i+1)*stride], x.Row(i))
		}
		return
	case s.squares == nil:
		s.lanes.Blocks(dst, x.Data)
		return
	}
	s.lanes.Products(dst, x.Data)
	for i := range x.Rows {
		square, far := dot(x.Row(i), x.Row(i)), dst[i*stride:][:len(s.squares)]
		for j, v := range s.squares {
			far[j] = max(square+far[j]+v, 0)
		}
	}
}

// search calls use after it has filled the heap with the points that are nearest to a
// row, in order.
func (s *space) search(w *graph.Work, h *heap, x frame.Frame, use func(i int) error) error {
	if s.tree == nil {
		return s.each(w, x, func(i int, far []float64) error {
			if s.chosen && !s.loose.on {
				choose(w, h, far)
			} else if h.fill(far); s.loose.on && !s.settled(h, far) {
				return frame.InputError("A row has nearest neighbors that are equally far and answer differently. Scikit-learn's choice among them depends on the processor.")
			}
			if err := s.together(far); err != nil {
				return err
			}
			s.sort(h)
			return use(i)
		})
	}
	for i := range x.Rows {
		row := x.Row(i)
		h.reset()
		if err := s.tree.search(w, s, h, row, 0, s.tree.least(&s.metric, 0, row)); err != nil {
			return err
		}
		s.sort(h)
		if err := use(i); err != nil {
			return err
		}
	}
	return nil
}

// sort puts the nearest first, and makes distances of reduced ones.
func (s *space) sort(h *heap) {
	h.sort()
	for i, v := range h.far {
		h.far[i] = s.distance(v)
	}
}

// neighbours reads how many neighbours answer, which are weighted by their distance or
// not.
func neighbours(e *fitted.Estimator, rows int, names ...string) int {
	k := e.Int(rows, names...)
	e.Require(k > 0, "n_neighbors is out of range")
	e.Alloc(16 * k)
	return k
}

// weighted reports whether near rows count more.
func weighted(e *fitted.Estimator) bool {
	if v := e.Get("weights"); v == nil || v == any("uniform") || v == any("distance") {
		return v == any("distance")
	}
	e.Failf("weights that are no uniform or distance are not supported")
	return false
}

// weigh replaces distances by weights: 1 for all, or 1/distance. Rows at the same
// place count alone.
func weigh(far []float64, byDistance bool) {
	same := false
	for i, v := range far {
		far[i] = 1
		if byDistance {
			far[i] = 1 / v
			same = same || math.IsInf(far[i], 1)
		}
	}
	if !same {
		return
	}
	for i, v := range far {
		far[i] = 0
		if math.IsInf(v, 1) {
			far[i] = 1
		}
	}
}

// answers is what the rows of a space have.
type answers struct {
	graph.Outputs
	values  []float64 // the numbers or the indexes of classes, row after row
	width   int       // of a row
	classes []int     // of each value; nil for numbers
}

// newClasses reads the classes of the rows.
func newClasses(e *fitted.Estimator, rows int) answers {
	labels := e.LabelsOfAll()
	a := answers{values: e.Floats("_y"), width: len(labels.Classes)}
	total := 0
	for _, c := range labels.Classes {
		a.classes = append(a.classes, len(c))
		total += len(c)
	}
	e.Require(len(a.values) == rows*a.width, "_y does not fit the rows")
	if !e.Ok() {
		return a
	}
	for i, v := range a.values {
		e.Require(v >= 0 && v < float64(a.classes[i%a.width]) && v == float64(int(v)), "_y does not fit the classes")
	}
	proba := graph.List(total)
	if len(a.classes) > 1 || !labels.Flat {
		proba.Parts = a.classes
	}
	a.Outputs = graph.Outputs{labels, proba, {}}
	return a
}

// newNumbers reads the numbers of the rows.
func newNumbers(e *fitted.Estimator, rows int) answers {
	arr := e.Array("_y")
	a := answers{values: e.Floats("_y"), width: 1}
	a.Outputs[frame.Predict] = graph.One()
	if len(arr.Shape) == 2 {
		a.width = arr.Shape[1]
		a.Outputs[frame.Predict] = graph.List(a.width)
	}
	e.Require(a.width > 0 && len(a.values) == rows*a.width, "_y does not fit the rows")
	return a
}

// same reports whether two rows answer the same.
func (a *answers) same(i, j int) bool {
	return slices.Equal(a.values[i*a.width:(i+1)*a.width], a.values[j*a.width:(j+1)*a.width])
}

// mean fills dst with the weighted mean of rows.
func (a *answers) mean(dst []float64, rows []int, weights []float64) {
	sum := 0.0
	clear(dst)
	for i, r := range rows {
		sum += weights[i]
		for k, v := range a.values[r*a.width : (r+1)*a.width] {
			dst[k] += weights[i] * v
		}
	}
	for k := range dst {
		dst[k] /= sum
	}
}

// count fills dst with the weights of all classes, output after output.
func (a *answers) count(dst []float64, rows []int, weights []float64) {
	clear(dst)
	for i, r := range rows {
		at := 0
		for k, n := range a.classes {
			dst[at+int(a.values[r*a.width+k])] += weights[i]
			at += n
		}
	}
}

// decide turns the weights of classes into answers.
func (a *answers) decide(m frame.Method, dst, counts []float64) {
	for k, n := range a.classes {
		if m == frame.Predict {
			dst[k] = float64(vector.Argmax(counts[:n]))
		} else {
			vector.Normalize(counts[:n])
			copy(dst, counts[:n])
			dst = dst[n:]
		}
		counts = counts[n:]
	}
}

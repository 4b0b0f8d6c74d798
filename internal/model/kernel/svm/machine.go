// SPDX-License-Identifier: Apache-2.0

package svm

import (
	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/vector"
)

// machine is a model of libsvm (https://www.csie.ntu.edu.tw/~cjlin/libsvm). Its values
// are weighted sums of a row's similarities to its support vectors: one value, or one
// for each pair of three or more classes.
type machine struct {
	input graph.Input
	kernel
	vectors   frame.Frame // sparse if the rows were
	nothing   []float64   // a 0 for each of them
	intercept []float64   // one for each value

	weights vector.Matrix // of the one value
	groups  []group       // or of more values
}

// group is the support vectors of one class, and their weights in the values of each
// other class.
type group struct {
	from, to int
	weights  vector.Matrix
}

// newMachine reads what all estimators have. Its weights have one row for each class
// but one.
func newMachine(e *fitted.Estimator) machine {
	m := machine{kernel: newKernel(e), vectors: e.Rows("support_vectors_"), weights: e.Matrix("_dual_coef_"), intercept: e.Floats("_intercept_")}
	m.input = e.Input(m.vectors.Cols)
	m.input.Sparse = m.vectors.Sparse()
	n := m.vectors.Rows
	e.Require(m.weights.Cols == n, "dual_coef_ does not fit the support vectors")
	if m.input.Sparse {
		m.ascend(e)
	}
	if e.Alloc(8 * (n + m.chunk()*(n+1))) {
		m.nothing = make([]float64, n)
	}
	return m
}

// newSingle reads an estimator of one value.
func newSingle(e *fitted.Estimator) machine {
	m := newMachine(e)
	e.Require(m.weights.Rows == 1 && len(m.intercept) == 1, "intercept_ does not fit one value")
	return m
}

// ascend checks that the columns of sparse support vectors ascend.
func (m *machine) ascend(e *fitted.Estimator) {
	for i := range m.vectors.Rows {
		columns, _ := m.vectors.Entries(i)
		for k := range columns {
			e.Require(k == 0 || columns[k] > columns[k-1], "a sparse matrix of it is not sorted")
		}
	}
}

// split gives each class its part of the weights.
func (m *machine) split(e *fitted.Estimator, counts []int64) {
	all := m.weights
	if !e.Ok() || all.Rows == 1 || !e.Alloc(8*len(all.Data)+slotCost*len(counts)) {
		return
	}
	at := 0
	for _, n := range counts {
		g := group{at, at + int(n), vector.Matrix{Rows: all.Rows, Cols: int(n)}}
		for j := range all.Rows {
			g.weights.Data = append(g.weights.Data, all.Row(j)[g.from:g.to]...)
		}
		m.groups = append(m.groups, g)
		at = g.to
	}
	m.weights = vector.Matrix{}
}

const slotCost = 64

func (m *machine) Input() *graph.Input { return &m.input }

// chunk returns the number of rows whose similarities are computed at once.
func (m *machine) chunk() int {
	const (
		values = 1 << 15
		least  = 4 // rows, which share what is read of the support vectors
	)
	return max(values/max(m.vectors.Rows, 1), least)
}

// each calls answer with the values of each row. They are valid until the next call,
// and so is what answer takes of w.
func (m *machine) each(w *graph.Work, x frame.Frame, answer func(i int, values []float64) error) error {
	n, most := m.vectors.Rows, min(m.chunk(), x.Rows)
	all := w.Floats(most * n)
	values := w.Floats(max(len(m.intercept), most))
	mark := w.Mark()
	for from := 0; from < x.Rows; from += most {
		part := x.Slice(from, min(from+most, x.Rows))
		similar := vector.Matrix{Rows: part.Rows, Cols: n, Data: all[:part.Rows*n]}
		if err := m.compare(w, similar.Data, part); err != nil {
			return err
		}
		if len(m.groups) == 0 {
			vector.Dots(values[:part.Rows], m.weights.Data, &similar)
		}
		for i := range part.Rows {
			w.Release(mark)
			row := values[:len(m.intercept)]
			if len(m.groups) == 0 {
				row = values[i : i+1]
				row[0] += m.intercept[0]
			} else if err := m.pairs(w, row, similar.Row(i)); err != nil {
				return err
			}
			if err := answer(from+i, row); err != nil {
				return err
			}
		}
		w.Release(mark)
	}
	return nil
}

// compare fills dst with the similarities of rows to all support vectors.
func (m *machine) compare(w *graph.Work, dst []float64, x frame.Frame) error {
	if m.vectors.Sparse() {
		if err := m.compareSparse(w, dst, x); err != nil {
			return err
		}
	} else {
		vectors := vector.Matrix{Rows: m.vectors.Rows, Cols: m.vectors.Cols, Data: m.vectors.Data}
		if m.distance {
			vector.Distances(dst, x.Data, &vectors)
		} else {
			vector.Product(dst, x.Data, &vectors, m.nothing[:vectors.Rows])
		}
		if err := w.Steps(x.Rows * len(vectors.Data)); err != nil {
			return err
		}
	}
	m.finish(dst)
	return w.Steps((m.cost + 1) * len(dst))
}

// pairs fills dst with the values of a row: of each pair i < j of classes, one that is
// positive for i. It adds in the order of libsvm, because similarities that are all the
// same often add up to 0, and then the last bit decides.
func (m *machine) pairs(w *graph.Work, dst, similar []float64) error {
	n := len(m.groups)
	at, sums := w.Ints(n-1), w.Floats(n-1)
	clear(dst)
	for j, g := range m.groups {
		for k := range at {
			first, second := min(j, k), max(j, k+1)
			at[k] = first*(2*n-first-1)/2 + second - first - 1
			sums[k] = dst[at[k]]
		}
		addDots(sums, similar[g.from:g.to], g.weights.Data)
		for k, pair := range at {
			dst[pair] = sums[k]
		}
		if err := w.Steps(len(g.weights.Data) + 2*n); err != nil {
			return err
		}
	}
	for k, v := range m.intercept {
		dst[k] += v
	}
	return nil
}

// addDots adds the products of x and each row of m to dst, each in order.
func addDots(dst, x, m []float64) {
	n := len(x)
	for ; len(dst) >= 2; dst, m = dst[2:], m[2*n:] { // a core begins an addition while another one takes place
		a, b := m[:n], m[n:][:n]
		first, second := dst[0], dst[1]
		for i, v := range x {
			first += v * a[i]
			second += v * b[i]
		}
		dst[0], dst[1] = first, second
	}
	for k := range dst {
		for i, v := range x {
			dst[k] += v * m[i]
		}
	}
}

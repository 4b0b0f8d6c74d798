// SPDX-License-Identifier: Apache-2.0

package svm

import (
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
)

// compareSparse fills dst with the products or squared distances of rows and sparse
// support vectors.
func (m *machine) compareSparse(w *graph.Work, dst []float64, x frame.Frame) error {
	n := m.vectors.Rows
	mark := w.Mark()
	for i := range x.Rows {
		w.Release(mark)
		columns, values := entries(w, x, i)
		if m.distance {
			for k := range n {
				others, of := m.vectors.Entries(k)
				dst[i*n+k] = apart(columns, values, others, of)
			}
		} else {
			row := w.Floats(x.Cols)
			clear(row)
			for k, c := range columns {
				row[c] = values[k]
			}
			for k := range n {
				others, of := m.vectors.Entries(k)
				dst[i*n+k] = product(row, others, of)
			}
		}
		if err := w.Steps(3*(len(columns)*n+len(m.vectors.Data)) + x.Cols); err != nil {
			return err
		}
	}
	w.Release(mark)
	return nil
}

// entries returns the columns and values of a row that are not 0.
func entries(w *graph.Work, x frame.Frame, i int) ([]int32, []float64) {
	if x.Sparse() {
		return x.Entries(i)
	}
	columns, values := w.Indexes(x.Cols)[:0], w.Floats(x.Cols)[:0]
	for c, v := range x.Row(i) {
		if v != 0 {
			columns, values = append(columns, int32(c)), append(values, v)
		}
	}
	return columns, values
}

// product multiplies a row with a sparse one.
func product(row []float64, columns []int32, values []float64) float64 {
	sum := 0.0
	for k, c := range columns {
		sum += row[c] * values[k]
	}
	return sum
}

// apart returns the squared distance of two sparse rows, summed in the order of their
// columns.
func apart(columns []int32, values []float64, others []int32, of []float64) float64 {
	sum, k := 0.0, 0
	for i, c := range columns {
		for ; k < len(others) && others[k] < c; k++ {
			sum += of[k] * of[k]
		}
		d := values[i]
		if k < len(others) && others[k] == c {
			d -= of[k]
			k++
		}
		sum += d * d
	}
	for ; k < len(others); k++ {
		sum += of[k] * of[k]
	}
	return sum
}

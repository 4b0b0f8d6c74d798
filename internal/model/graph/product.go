// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/vector"
)

// Product fills dst with the products of a block, dense or sparse, with the rows of
// m, which is as wide: m.Rows values for each row, to which those of add are added.
func Product(w *Work, dst []float64, x frame.Frame, m vector.Matrix, add []float64) error {
	const (
		steps = 1 << 20 // at once
		least = 4       // rows, among which vector.Product shares what it reads of m
	)
	if x.Sparse() {
		return sparseProduct(w, dst, x, m, add)
	}
	for rows, from := max(steps/max(len(m.Data), 1), least), 0; from < x.Rows; from += rows {
		to := min(from+rows, x.Rows)
		vector.Product(dst[from*m.Rows:to*m.Rows], x.Data[from*x.Cols:to*x.Cols], &m, add)
		if err := w.Steps((to - from) * len(m.Data)); err != nil {
			return err
		}
	}
	return nil
}

func sparseProduct(w *Work, dst []float64, x frame.Frame, m vector.Matrix, add []float64) error {
	for i := range x.Rows {
		columns, values := x.Entries(i)
		for j := range m.Rows {
			row, sum := m.Row(j), 0.0
			for k, c := range columns {
				sum += values[k] * row[c]
			}
			dst[i*m.Rows+j] = sum + add[j]
		}
		if err := w.Steps((len(columns) + 1) * m.Rows); err != nil {
			return err
		}
	}
	return nil
}

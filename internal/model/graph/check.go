// SPDX-License-Identifier: Apache-2.0

package graph

import (
	"math"

	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/vector"
)

// check turns a block into one as the estimator takes it, or returns an error in
// scikit-learn's words.
func (in *Input) check(w *Work, x *frame.Frame) error {
	if err := w.Steps(x.Rows + len(x.Data)); err != nil {
		return err
	}
	switch {
	case in.Blind:
		return nil
	case x.Cols == 0:
		return frame.InputErrorf("Found array with 0 feature(s) (shape=(%d, 0)) while a minimum of 1 is required by %s.", x.Rows, in.Class)
	case x.Cols != in.Width:
		return frame.InputErrorf("X has %d features, but %s is expecting %d features as input.", x.Cols, in.Class, in.Width)
	}
	if x.Sparse() {
		if in.NoSparse {
			return frame.InputErrorf("%s of sparse rows is not supported", in.Class)
		}
		if in.Sparse {
			return in.finite(x.Data[x.Starts[0]:x.Starts[x.Rows]])
		}
		*x = dense(w, *x)
	}
	if len(x.Texts) > 0 && len(in.Kinds) == 0 {
		if err := Numbers(w, x); err != nil {
			return err
		}
	}
	return in.finite(x.Data)
}

// finite refuses missing, infinite and too large values, as far as the estimator
// does. A missing value is named first, as scikit-learn does.
func (in *Input) finite(data []float64) error {
	limit := math.MaxFloat64
	if in.Single {
		limit = math.MaxFloat32
	}
	if vector.Within(data, limit) {
		return nil
	}
	large := false
	for _, v := range data {
		switch {
		case v >= -limit && v <= limit:
		case v == v: // not NaN
			large = true
		case !in.AllowNaN:
			return frame.InputError("Input X contains NaN.")
		}
	}
	switch {
	case !large || in.AllowInf:
		return nil
	case in.Single:
		return frame.InputError("Input X contains infinity or a value too large for dtype('float32').")
	}
	return frame.InputError("Input X contains infinity or a value too large for dtype('float64').")
}

// Numbers reads the strings of a block as scikit-learn does for an estimator that
// works on numbers.
func Numbers(w *Work, x *frame.Frame) error {
	out := w.Dense(x.Rows, x.Cols)
	for i, v := range x.Data {
		if frame.IsText(v) {
			number, err := frame.Float(x.Texts[i])
			if err != nil {
				return err
			}
			v = number
		}
		out.Data[i] = v
	}
	out.Names = x.Names
	*x = out
	return nil
}

// dense returns a sparse block as a dense one.
func dense(w *Work, x frame.Frame) frame.Frame {
	out := w.Dense(x.Rows, x.Cols)
	out.Names = x.Names
	clear(out.Data)
	for i := range x.Rows {
		row := out.Row(i)
		columns, values := x.Entries(i)
		for k, c := range columns {
			row[c] = values[k]
		}
	}
	return out
}

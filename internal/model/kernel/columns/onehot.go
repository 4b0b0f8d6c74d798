// SPDX-License-Identifier: Apache-2.0

package columns

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

var nan = math.NaN()

// oneHot is OneHotEncoder: a column of each category, with 1 where a value is of it.
type oneHot struct {
	encoder
	toRare []bool    // an unknown value counts as rare, by column
	places [][]int32 // of the codes of a column among the columns put out, or -1
	width  int
	sparse bool
	asked  bool // for sparse blocks, which narrow ones are not
}

// sparseFrom is the width from which on blocks are sparse, if the model has them so.
const sparseFrom = 64

func newOneHot(e *fitted.Estimator) graph.Node {
	h := &oneHot{encoder: newEncoder(e)}
	unknown := e.Text("error", "handle_unknown")
	switch unknown {
	case "error":
		h.refuse = true
	case "ignore", "infrequent_if_exist", "warn":
	default:
		e.Failf("handle_unknown %s is not supported", pickle.Quote(unknown))
	}
	drops := dropped(e, len(h.columns))
	if !e.Ok() {
		return h
	}
	for j, size := range h.sizes() {
		h.toRare = append(h.toRare, unknown != "ignore" && h.rare != nil && h.rare[j] >= 0)
		if !e.Alloc(4 * size) {
			return h
		}
		places := make([]int32, size)
		for code := range places {
			places[code] = int32(h.width)
			if code == drops[j] {
				places[code] = -1
				continue
			}
			h.width++
		}
		h.places = append(h.places, places)
	}
	e.Require(h.width > 0 && h.width <= math.MaxInt32, "its categories make no columns")
	h.asked = e.Flag("sparse_output", "sparse")
	h.sparse = h.asked && h.width >= sparseFrom
	return h
}

// dropped returns the code that is dropped of each column, or -1.
func dropped(e *fitted.Estimator, columns int) []int {
	out := make([]int, columns)
	for j := range out {
		out[j] = -1
	}
	arr, ok := e.Get("_drop_idx_after_grouping", "drop_idx_").(*pickle.Array)
	if !ok {
		return out
	}
	values := e.Values(arr)
	if e.Ok() && len(values) != columns {
		e.Failf("drop_idx_ does not fit the features")
		return out
	}
	for j, v := range values {
		switch v := v.(type) {
		case int64:
			out[j] = int(min(max(v, 0), math.MaxInt32))
		case pickle.None:
		default:
			e.Failf("drop_idx_ holds %s", pickle.Describe(v))
		}
	}
	return out
}

func (h *oneHot) Width() int { return h.width }

// Sparse implements graph.Sparser.
func (h *oneHot) Sparse() bool { return h.asked }

// Thin reports whether blocks are sparse.
func (h *oneHot) Thin() bool { return h.sparse }

// place returns the column for a value, or -1 for none.
func (h *oneHot) place(x *frame.Frame, i, column int) (int32, error) {
	code, err := h.code(x, i, column)
	switch {
	case err != nil:
		return 0, err
	case code >= 0:
		return h.places[column][code], nil
	case h.toRare[column]:
		return h.places[column][h.rare[column]], nil
	}
	return -1, nil
}

func (h *oneHot) Transform(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	if h.pandas3 {
		x = nulls(w, x)
	}
	var out frame.Frame
	if h.sparse {
		out = w.Sparse(x.Rows, h.width, len(x.Data))
	} else {
		out = w.Dense(x.Rows, h.width)
		clear(out.Data)
	}
	for i := range x.Rows {
		for j := range x.Cols {
			place, err := h.place(&x, i*x.Cols+j, j)
			if err != nil {
				return x, err
			}
			switch {
			case place < 0:
			case h.sparse:
				out.Index, out.Data = append(out.Index, place), append(out.Data, 1)
			default:
				out.Data[i*h.width+int(place)] = 1
			}
		}
		if h.sparse {
			out.Starts = append(out.Starts, len(out.Data))
		}
	}
	const steps = 20 // of a look-up
	return out, w.Steps(steps * len(x.Data))
}

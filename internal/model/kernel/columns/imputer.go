// SPDX-License-Identifier: Apache-2.0

package columns

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// absent tells which values are missing: a number, a string, None or NaN.
type absent struct {
	value float64
	text  string
}

func missingValues(e *fitted.Estimator) absent {
	switch v := e.Get("missing_values").(type) {
	case nil:
		return absent{value: frame.None}
	case string:
		return absent{value: frame.Text, text: v}
	case float64, int64:
		return absent{value: number(e, v, "missing_values")}
	default:
		e.Failf("missing_values %s is not supported", pickle.Describe(v))
	}
	return absent{}
}

// isNaN reports whether NaN is what is missing.
func (a *absent) isNaN() bool {
	return a.value != a.value && !frame.IsNone(a.value) && !frame.IsText(a.value)
}

// in reports whether a value of a block is missing. Numbers tells that the column
// holds nothing else, so that what is not a number is NaN.
func (a *absent) in(x *frame.Frame, i int, numbers bool) bool {
	v := x.Data[i]
	switch {
	case v == v:
		return v == a.value
	case frame.IsText(v):
		return frame.IsText(a.value) && x.Texts[i] == a.text
	case frame.IsNone(v) && !numbers:
		return frame.IsNone(a.value)
	}
	return a.isNaN()
}

// check refuses NaN where something else is missing.
func (a *absent) check(x *frame.Frame) error {
	if a.isNaN() {
		return nil
	}
	for _, v := range x.Data {
		if v != v && !frame.IsNone(v) && !frame.IsText(v) {
			return frame.InputError("Input X contains NaN")
		}
	}
	return nil
}

// imputer is SimpleImputer, with the columns of its MissingIndicator behind.
type imputer struct {
	input   graph.Input
	missing absent
	keep    []int     // the columns that are put out
	fill    []float64 // for the missing values of each column
	texts   []string  // of fill
	mixed   bool      // a column may hold strings
	marks   []int     // columns whose missing values are marked
	pandas3 bool
}

func newImputer(e *fitted.Estimator) graph.Node {
	m := &imputer{missing: missingValues(e), pandas3: e.Version() >= pandas3}
	// Until 1.7, a constant filled columns without values too.
	always := e.Flag("keep_empty_features") || e.Version() < 108 && e.Text("mean", "strategy") == "constant"
	values := e.Values(e.Array("statistics_"))
	if !e.Alloc(48 * len(values)) {
		return m
	}
	var kinds []frame.Kind
	for j, v := range values {
		fill, text, kind := 0.0, "", frame.Numbers
		switch v := v.(type) {
		case string:
			fill, text, kind = frame.Text, v, frame.Strings
		case pickle.None:
			fill, kind = frame.None, frame.Anything
		default:
			fill = number(e, v, "statistics_")
		}
		if frame.IsNone(m.missing.value) || frame.IsText(m.missing.value) {
			kind = frame.Anything
		}
		m.mixed = m.mixed || kind != frame.Numbers
		m.fill, m.texts, kinds = append(m.fill, fill), append(m.texts, text), append(kinds, kind)
		if always || fill == fill || text != "" || kind != frame.Numbers {
			m.keep = append(m.keep, j)
		}
	}
	m.input = e.Input(len(values))
	m.input.AllowNaN = m.missing.isNaN() || m.mixed
	if m.mixed {
		m.input.Kinds = kinds
		for j, text := range m.texts {
			m.input.Example(j, text)
		}
	}
	if e.Flag("add_indicator") {
		m.marks = features(e.Part("indicator_"), len(values))
	}
	e.Require(m.Width() > 0, "it leaves no features")
	return m
}

// features reads the columns that an indicator marks.
func features(e *fitted.Estimator, width int) []int {
	var out []int
	for _, v := range e.Ints("features_") {
		if v < 0 || v >= int64(width) || !e.Alloc(8) {
			e.Failf("features_ are out of range")
			return nil
		}
		out = append(out, int(v))
	}
	return out
}

func (m *imputer) Input() *graph.Input { return &m.input }

func (m *imputer) Width() int { return len(m.keep) + len(m.marks) }

func (m *imputer) numbers(column int) bool { return m.input.Kind(column) == frame.Numbers }

func (m *imputer) Transform(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	if m.pandas3 {
		x = nulls(w, x)
	}
	if err := m.missing.check(&x); err != nil {
		return x, err
	}
	out := w.Dense(x.Rows, m.Width())
	if m.mixed {
		out.Texts = w.Texts(len(out.Data))
		clear(out.Texts)
	}
	for i := range x.Rows {
		row := out.Row(i)
		for k, j := range m.keep {
			at := i*x.Cols + j
			row[k] = x.Data[at]
			text := ""
			if len(x.Texts) > 0 {
				text = x.Texts[at]
			}
			if m.missing.in(&x, at, m.numbers(j)) {
				row[k], text = m.fill[j], m.texts[j]
			}
			if m.mixed {
				out.Texts[i*out.Cols+k] = text
			}
		}
		mark(row[len(m.keep):], &x, i, m.marks, m.numbers, &m.missing)
	}
	const steps = 5
	return out, w.Steps(steps * len(x.Data))
}

// mark puts 1 where a value is missing.
func mark(dst []float64, x *frame.Frame, row int, columns []int, numbers func(int) bool, missing *absent) {
	for k, j := range columns {
		dst[k] = 0
		if missing.in(x, row*x.Cols+j, numbers(j)) {
			dst[k] = 1
		}
	}
}

// indicator is MissingIndicator.
type indicator struct {
	input   graph.Input
	missing absent
	marks   []int
	marked  []bool // by column; nil if others may have missing values too
}

func newIndicator(e *fitted.Estimator) graph.Node {
	n := &indicator{missing: missingValues(e)}
	cols := e.Int(math.MaxInt32, "_n_features")
	n.input = e.Input(cols)
	n.input.AllowNaN = n.missing.isNaN()
	if !n.missing.isNaN() && n.missing.value != n.missing.value {
		e.Failf("missing_values other than numbers are not supported")
	}
	n.marks = features(e, cols)
	e.Require(len(n.marks) > 0, "it marks no features")
	if e.Ok() && e.Flag("error_on_new") && e.Text("", "features") == "missing-only" && e.Alloc(cols) {
		n.marked = make([]bool, cols)
		for _, j := range n.marks {
			n.marked[j] = true
		}
	}
	return n
}

func (n *indicator) Input() *graph.Input { return &n.input }

func (n *indicator) Width() int { return len(n.marks) }

func allNumbers(int) bool { return true }

func (n *indicator) Transform(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	out := w.Dense(x.Rows, len(n.marks))
	for i := range x.Rows {
		mark(out.Row(i), &x, i, n.marks, allNumbers, &n.missing)
	}
	for i := range x.Data {
		if j := i % x.Cols; n.marked != nil && !n.marked[j] && n.missing.in(&x, i, true) {
			return x, frame.InputErrorf("The features [%d] have missing values in transform but have no missing values in fit.", j)
		}
	}
	return out, w.Steps(len(x.Data))
}

// SPDX-License-Identifier: Apache-2.0

package columns

import (
	"slices"
	"sort"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// ordinal is OrdinalEncoder: the code of each value, where other numbers may stand
// for values that are missing or unknown.
type ordinal struct {
	encoder
	values  [][]float64 // by column and code
	unknown float64
}

func newOrdinal(e *fitted.Estimator) graph.Node {
	o := &ordinal{encoder: newEncoder(e)}
	wide(e)
	switch unknown := e.Text("error", "handle_unknown"); unknown {
	case "error":
		o.refuse = true
	case "use_encoded_value":
		o.unknown = number(e, e.Get("unknown_value"), "unknown_value")
	default:
		e.Failf("handle_unknown %s is not supported", pickle.Quote(unknown))
	}
	missing := nan
	if v := e.Get("encoded_missing_value"); v != nil {
		missing = number(e, v, "encoded_missing_value")
	}
	if !e.Ok() {
		return o
	}
	for j, size := range o.sizes() {
		if !e.Alloc(8 * size) {
			return o
		}
		values := make([]float64, size)
		for code := range values {
			values[code] = float64(code)
		}
		// None is a category as others, but NaN is missing.
		if code := o.columns[j].nan; code >= 0 && e.Version() >= 100 {
			o.missing(j, code, missing, &values)
		}
		o.values = append(o.values, values)
	}
	return o
}

// wide fails unless the dtype of what an estimator makes holds all codes.
func wide(e *fitted.Estimator) {
	switch v := e.Get("dtype").(type) {
	case nil:
	case *pickle.Global:
		if !slices.Contains([]string{"float64", "float32", "float", "int64", "int32", "int"}, v.Name) {
			e.Failf("dtype %s is not supported", v.Public())
		}
	default:
		e.Failf("dtype %s is not supported", pickle.Describe(v))
	}
}

// missing puts a value for a code of a missing category in the place of that code.
func (o *ordinal) missing(column int, code int32, value float64, values *[]float64) {
	if o.mapped != nil && o.mapped[column] != nil {
		o.mapped[column][code] = int32(len(*values))
		*values = append(*values, value)
		return
	}
	(*values)[code] = value
}

func (o *ordinal) Width() int { return o.input.Width }

func (o *ordinal) Transform(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	if o.pandas3 {
		x = nulls(w, x)
	}
	out := w.Dense(x.Rows, x.Cols)
	for i := range x.Data {
		j := i % x.Cols
		code, err := o.code(&x, i, j)
		switch {
		case err != nil:
			return x, err
		case code < 0:
			out.Data[i] = o.unknown
		default:
			out.Data[i] = o.values[j][code]
		}
	}
	const steps = 20
	return out, w.Steps(steps * len(x.Data))
}

// target is TargetEncoder: what the targets of a category were like. Of several
// classes, each has a column for each column of the block.
type target struct {
	encoder
	values  [][]float64 // by column of the block, for each class, and code
	means   []float64   // for unknown categories, by class
	classes int
}

func newTarget(e *fitted.Estimator) graph.Node {
	t := &target{encoder: newEncoder(e), classes: 1}
	t.input.AllowNaN = true
	if e.Text("", "target_type_") == "multiclass" {
		t.means = e.Floats("target_mean_")
		t.classes = len(t.means)
	} else {
		t.means = []float64{e.Number("target_mean_")}
	}
	encodings := e.List("encodings_")
	if len(encodings) != len(t.columns)*t.classes {
		e.Failf("encodings_ do not fit the features")
		return t
	}
	for i, v := range encodings {
		values := e.FloatsOf(v, "encodings_")
		if !e.Ok() {
			return t
		}
		t.values = append(t.values, values)
		e.Require(len(values) == t.columns[i/t.classes].n, "encodings_ do not fit the categories")
	}
	return t
}

func (t *target) Width() int { return len(t.values) }

func (t *target) Transform(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	if t.pandas3 {
		x = nulls(w, x)
	}
	out := w.Dense(x.Rows, len(t.values))
	for i := range x.Rows {
		for j := range x.Cols {
			code := t.columns[j].find(&x, i*x.Cols+j)
			for k := range t.classes {
				at := j*t.classes + k
				if code < 0 {
					out.Data[i*out.Cols+at] = t.means[k]
				} else {
					out.Data[i*out.Cols+at] = t.values[at][code]
				}
			}
		}
	}
	const steps = 20
	return out, w.Steps(steps * len(out.Data))
}

// bins is KBinsDiscretizer: the number of the bin of each value, or a column for each
// bin.
type bins struct {
	input   graph.Input
	edges   [][]float64 // of each column, without the first
	counts  []int
	starts  []int // of the bins of a column among the columns put out, if there are such
	width   int
	upwards bool // before 1.1, a value just below an edge counts as the edge
}

func newBins(e *fitted.Estimator) graph.Node {
	b := &bins{upwards: e.Version() < 101}
	if v, ok := e.Get("dtype").(*pickle.Global); ok && v.Name != "float64" || e.Get("dtype") != nil && !ok {
		e.Failf("dtype %s is not supported", pickle.Describe(e.Get("dtype")))
	}
	var hot bool
	switch encode := e.Text("onehot", "encode"); encode {
	case "onehot", "onehot-dense":
		hot = true
	case "ordinal":
	default:
		e.Failf("encode %s is not supported", pickle.Quote(encode))
	}
	counts := e.Ints("n_bins_")
	edges := e.List("bin_edges_")
	e.Require(len(edges) == len(counts), "bin_edges_ and n_bins_ do not fit")
	if !e.Ok() {
		return b
	}
	b.width = len(edges)
	if hot {
		b.width = 0
	}
	for j, v := range edges {
		all := e.FloatsOf(v, "bin_edges_")
		e.Require(len(all) >= 2 && int64(len(all)) == counts[j]+1, "bin_edges_ and n_bins_ do not fit")
		if !e.Ok() {
			return b
		}
		b.edges, b.counts = append(b.edges, all[1:]), append(b.counts, len(all)-1)
		if hot {
			b.starts = append(b.starts, b.width)
			b.width += len(all) - 1
		}
	}
	b.input = e.Input(len(edges))
	return b
}

func (b *bins) Input() *graph.Input { return &b.input }

func (b *bins) Width() int { return b.width }

// bin returns the number of edges, but the last, that are not above v.
func (b *bins) bin(v float64, j int) int {
	edges := b.edges[j]
	if b.upwards { // as numpy.isclose has it
		v += 1e-8 + 1e-5*max(v, -v)
	}
	return min(sort.Search(len(edges), func(k int) bool { return edges[k] > v }), b.counts[j]-1)
}

func (b *bins) Transform(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	out := w.Dense(x.Rows, b.width)
	if b.starts != nil {
		clear(out.Data)
	}
	for i := range x.Rows {
		to := out.Row(i)
		for j, v := range x.Row(i) {
			bin := b.bin(v, j)
			if b.starts == nil {
				to[j] = float64(bin)
			} else {
				to[b.starts[j]+bin] = 1
			}
		}
	}
	const steps = 20
	return out, w.Steps(steps * len(x.Data))
}

// SPDX-License-Identifier: Apache-2.0

package text

import (
	"math"
	"slices"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/model/vector"
)

// vectorizer is CountVectorizer, HashingVectorizer and TfidfVectorizer.
type vectorizer struct {
	input    graph.Input
	analyzer *analyzer
	// place returns the column of a term, or -1 for none, and what the term adds.
	place  func(term []byte) (column int32, value float64)
	binary bool
	width  int
	norm   func([]float64) float64 // of a row, by which it is divided; or nil
	tfidf  *tfidf                  // or nil
}

func newVectorizer(e *fitted.Estimator) *vectorizer {
	v := &vectorizer{analyzer: newAnalyzer(e), binary: e.Flag("binary")}
	if d, ok := e.Get("dtype").(*pickle.Global); !ok || !slices.Contains([]string{"float64", "float32", "float", "int64", "int32", "int"}, d.Name) {
		e.Failf("dtype %s is not supported", pickle.Describe(e.Get("dtype")))
	}
	v.input = graph.Input{Class: e.Class(), Schema: frame.Schema{Width: 1, Kinds: []frame.Kind{frame.Strings}, Flat: true}, AllowNaN: true}
	return v
}

func newCount(e *fitted.Estimator) graph.Node { return count(e) }

func count(e *fitted.Estimator) *vectorizer {
	v := newVectorizer(e)
	terms := e.Dict("vocabulary_")
	v.width = len(terms)
	vocabulary := make(map[string]int32)
	longest := 0
	for term, at := range terms {
		i, ok := at.(int64)
		if !ok || i < 0 || i >= int64(len(terms)) {
			e.Failf("its vocabulary_ is malformed")
		}
		if !e.Alloc(stringCost + len(term)) {
			return v
		}
		vocabulary[term] = int32(i)
		longest = max(longest, len(term))
	}
	e.Require(v.width > 0, "its vocabulary_ is empty")
	v.analyzer.most = max(v.analyzer.least, min(v.analyzer.most, longest+1)) // no longer term is in it
	v.place = func(term []byte) (int32, float64) {
		if i, ok := vocabulary[string(term)]; ok {
			return i, 1
		}
		return -1, 0
	}
	return v
}

func newTfidfVectorizer(e *fitted.Estimator) graph.Node {
	v := count(e)
	v.tfidf = weighting(e.Part("_tfidf"))
	e.Require(v.tfidf.idf == nil || len(v.tfidf.idf) == v.width, "idf_ does not fit the vocabulary")
	return v
}

func newHashing(e *fitted.Estimator) graph.Node {
	v := newVectorizer(e)
	v.width = e.Int(math.MaxInt32, "n_features")
	e.Require(v.width > 0, "n_features is 0")
	if name := e.Text("", "norm"); name != "" {
		if v.norm = vector.Norm(name); v.norm == nil || name == "max" {
			e.Failf("norm %s is not supported", pickle.Quote(name))
		}
	}
	n, signs := int64(v.width), e.Flag("alternate_sign")
	v.place = func(term []byte) (int32, float64) {
		h, value := int64(int32(murmur3(term))), 1.0
		switch {
		case h == math.MinInt32:
			h = math.MaxInt32 - (n - 1)
			if signs {
				value = -1
			}
		case h < 0:
			h = -h
			if signs {
				value = -1
			}
		}
		return int32(h % n), value
	}
	return v
}

func (v *vectorizer) Input() *graph.Input { return &v.input }

func (v *vectorizer) Width() int { return v.width }

// Thin reports that blocks are sparse.
func (v *vectorizer) Thin() bool { return true }

// hit is a term that was found.
type hit struct {
	column int32
	value  float64
}

// hits are those of a text. They are merged now and then, because there may be far more
// terms than columns.
type hits struct {
	all  []hit
	most int // before they are merged, beyond a few
}

const fewHits = 1 << 14

func (h *hits) add(one hit) {
	if h.all = append(h.all, one); len(h.all) > max(h.most, fewHits) {
		h.merge()
		h.most = 2 * len(h.all)
	}
}

// merge leaves one hit for each column, in their order. The values are whole numbers,
// so it does not matter which are added first.
func (h *hits) merge() {
	slices.SortFunc(h.all, func(a, b hit) int { return int(a.column) - int(b.column) })
	n := 0
	for _, one := range h.all {
		if n > 0 && h.all[n-1].column == one.column {
			h.all[n-1].value += one.value
			continue
		}
		h.all[n] = one
		n++
	}
	h.all = h.all[:n]
}

func (v *vectorizer) Transform(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	t := &terms{w: w}
	var hits hits
	add := func(term []byte) {
		if at, value := v.place(term); at >= 0 {
			hits.add(hit{at, value})
		}
	}
	out := frame.Frame{Rows: x.Rows, Cols: v.width, Starts: w.Ints(x.Rows + 1)[:1]}
	out.Starts[0] = 0
	for i, value := range x.Data {
		if !frame.IsText(value) {
			return x, frame.InputErrorf("instance %d of a block is no string, but %s works on strings", i, v.input.Class)
		}
		hits.all = hits.all[:0]
		if err := v.analyzer.each(t, x.Texts[i], add); err != nil {
			return x, err
		}
		hits.merge()
		from := len(out.Data)
		for _, h := range hits.all {
			out.Index, out.Data = append(out.Index, h.column), append(out.Data, h.value)
		}
		v.finish(out.Index[from:], out.Data[from:])
		out.Starts = append(out.Starts, len(out.Data))
	}
	return out, w.Steps(len(out.Data))
}

// finish weighs the counts of a row.
func (v *vectorizer) finish(columns []int32, values []float64) {
	if v.binary {
		for k := range values {
			values[k] = 1
		}
	}
	if v.norm != nil {
		vector.Divide(values, v.norm(values))
	}
	if v.tfidf != nil {
		v.tfidf.weigh(columns, values)
	}
}

// tfidf is TfidfTransformer.
type tfidf struct {
	input     graph.Input
	sublinear bool
	idf       []float64               // nil for none
	norm      func([]float64) float64 // or nil
}

func newTfidf(e *fitted.Estimator) graph.Node {
	t := weighting(e)
	switch _, ok := e.Get("n_features_in_").(int64); {
	case t.idf != nil:
		t.input = e.Input(len(t.idf))
	case ok:
		t.input = e.Input(e.Int(math.MaxInt32, "n_features_in_"))
	default: // it did not note its width before 1.2
		t.input = graph.Input{Class: e.Class()}
	}
	t.input.Sparse = true
	return t
}

// weighting reads a TfidfTransformer.
func weighting(e *fitted.Estimator) *tfidf {
	t := &tfidf{sublinear: e.Flag("sublinear_tf")}
	if name := e.Text("", "norm"); name != "" {
		if t.norm = vector.Norm(name); t.norm == nil {
			e.Failf("norm %s is not supported", pickle.Quote(name))
		}
	}
	if !e.Flag("use_idf") {
		return t
	}
	if _, ok := e.Get("idf_").(*pickle.Array); ok {
		t.idf = e.Floats("idf_")
	} else { // before 1.5, in the diagonal of a sparse matrix
		t.idf = e.Part("_idf_diag").Floats("data")
	}
	e.Require(len(t.idf) > 0, "idf_ is empty")
	return t
}

func (t *tfidf) Input() *graph.Input { return &t.input }

func (t *tfidf) Width() int { return t.input.Width }

// SetWidth implements graph.Elastic.
func (t *tfidf) SetWidth(n int) { t.input.Width = n }

// Thin reports that blocks are sparse.
func (t *tfidf) Thin() bool { return true }

func (t *tfidf) Transform(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	out := frame.Frame{Rows: x.Rows, Cols: x.Cols, Starts: w.Ints(x.Rows + 1)[:1]}
	out.Starts[0] = 0
	if x.Sparse() {
		most := x.Starts[x.Rows] - x.Starts[0]
		out.Data, out.Index = w.Floats(most)[:0], w.Indexes(most)[:0]
	}
	for i := range x.Rows {
		from := len(out.Data)
		if x.Sparse() {
			columns, values := x.Entries(i)
			out.Index, out.Data = append(out.Index, columns...), append(out.Data, values...)
		} else {
			for j, v := range x.Row(i) {
				if v != 0 {
					out.Index, out.Data = append(out.Index, int32(j)), append(out.Data, v)
				}
			}
		}
		t.weigh(out.Index[from:], out.Data[from:])
		out.Starts = append(out.Starts, len(out.Data))
	}
	return out, w.Steps(len(out.Data))
}

// weigh turns the counts of a row into weights.
func (t *tfidf) weigh(columns []int32, values []float64) {
	for k, c := range columns {
		if t.sublinear {
			values[k] = math.Log(values[k]) + 1
		}
		if t.idf != nil {
			values[k] *= t.idf[c]
		}
	}
	if t.norm != nil {
		vector.Divide(values, t.norm(values))
	}
}

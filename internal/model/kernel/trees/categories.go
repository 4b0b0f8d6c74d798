// SPDX-License-Identifier: Apache-2.0

package trees

import (
	"math"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// encoder turns categories into small whole numbers, and what is none into NaN.
type encoder []codes

// codes are the categories of a column.
type codes struct {
	column int
	texts  map[string]float64               // of strings; nil if the categories are numbers
	number func(v float64) (float64, error) // of numbers
}

// categories reads which features are categories, and returns the known ones of each.
// Order is where the model has each feature that its trees name.
func (h *histogram) categories(e *fitted.Estimator, features int) (known []*set, order []int) {
	if !e.Alloc(16 * features) {
		return nil, nil
	}
	known, order = make([]*set, features), make([]int, features)
	for i := range order {
		order[i] = i
	}
	if e.Get("_preprocessor") != nil {
		h.encoded(e, known, order)
	} else {
		h.plain(e, known)
	}
	return known, order
}

// encoded reads the categories as scikit-learn has them from 1.4 on: an OrdinalEncoder
// comes first, and its columns before the others.
func (h *histogram) encoded(e *fitted.Estimator, known []*set, order []int) {
	mask := e.Values(e.Array("is_categorical_"))
	var lists []any
	if steps := e.Part("_preprocessor").List("transformers_"); len(steps) > 0 {
		if step := fitted.Items(steps[0]); len(step) > 1 {
			lists = e.Member(step[1]).List("categories_")
		}
	}
	e.Require(len(mask) == len(known), "is_categorical_ does not fit its features")
	order = order[:0]
	for i, v := range mask {
		if v != true || !e.Ok() {
			continue
		}
		if len(lists) == len(order) {
			e.Failf("its categories do not fit its features")
			return
		}
		known[i] = h.encode(e, i, lists[len(order)])
		order = append(order, i)
	}
	for i, v := range mask {
		if v != true && e.Ok() {
			order = append(order, i)
		}
	}
}

// beyond is the first integer that a float64 may have been rounded to.
const beyond = 1 << 53

// encode reads the categories of a column, and returns their codes.
func (h *histogram) encode(e *fitted.Estimator, column int, v any) *set {
	arr, ok := v.(*pickle.Array)
	if !ok {
		e.Failf("its categories are %s", pickle.Describe(v))
		return nil
	}
	values := e.Values(arr)
	e.Require(len(values) <= 256, "a feature has too many categories")
	const perCategory = 64
	if !e.Alloc(perCategory * len(values)) {
		return nil
	}
	numbers, texts, all := ordinals{}, map[string]float64{}, &set{}
	for i, v := range values {
		switch v := v.(type) {
		case string:
			texts[v] = float64(i)
		case int64:
			// A frame would take one such integer for another.
			e.Require(v > -beyond && v < beyond, "a category is an integer beyond 2^53, which is not supported: save categories as strings")
			numbers[float64(v)] = float64(i)
		case float64:
			if math.IsNaN(v) { // that of missing values, which are none
				continue
			}
			numbers[v] = float64(i)
		default:
			e.Failf("a category is %s, which is not supported", pickle.Describe(v))
		}
		all[i/32] |= 1 << (i % 32)
	}
	e.Require(len(numbers) == 0 || len(texts) == 0, "the categories of a feature are both strings and numbers, which is not supported")
	c := codes{column: column, number: numbers.code}
	if len(texts) > 0 {
		c.texts, c.number = texts, amongTexts
		for text := range texts {
			if _, ok := frame.ParseFloat(text); ok {
				c.number = amongNumbers
			}
		}
		h.kind(column)
	}
	h.encoder = append(h.encoder, c)
	return all
}

// ordinals has the codes of numbers.
type ordinals map[float64]float64

func (o ordinals) code(v float64) (float64, error) {
	if code, ok := o[v]; ok {
		return code, nil
	}
	if math.IsInf(v, 0) {
		return v, frame.InputError("Input contains infinity or a value too large for dtype('float64').")
	}
	return math.NaN(), nil
}

// amongTexts is the code of a number where categories are strings: it is an unknown one.
func amongTexts(float64) (float64, error) { return math.NaN(), nil }

// amongNumbers is amongTexts if some of the strings look like numbers: whether a number
// is one of them depends on how pandas or numpy would hold the rows.
func amongNumbers(v float64) (float64, error) {
	if math.IsNaN(v) {
		return v, nil
	}
	return v, frame.InputErrorf("the category %v is a number, but those of the model are strings: send it as a string", v)
}

// kind says that a column holds strings.
func (h *histogram) kind(column int) {
	if h.input.Kinds == nil {
		h.input.Kinds = make([]frame.Kind, h.input.Width)
	}
	h.input.Kinds[column] = frame.Strings
}

// plain reads the categories as scikit-learn had them before 1.4: they are whole
// numbers below 256, and others are converted to them as C does on x86. Negative ones
// are missing values from 1.2 on.
func (h *histogram) plain(e *fitted.Estimator, known []*set) {
	mapper := e.Part("_bin_mapper")
	if mapper.Get("is_categorical_") == nil {
		return // from before there were categories
	}
	mask, lists := mapper.Floats("is_categorical_"), mapper.List("bin_thresholds_")
	e.Require(len(mask) == len(known) && len(lists) == len(known), "its categories do not fit its features")
	negative := e.Version() < 102
	for i := range known {
		if !e.Ok() || mask[i] == 0 {
			continue
		}
		known[i] = &set{}
		for _, c := range e.FloatsOf(lists[i], "bin_thresholds_") {
			if c != c || c < 0 || c > math.MaxUint8 { // or NaN
				e.Failf("a category is out of range")
				return
			}
			known[i][int(c)/32] |= 1 << (int(c) % 32)
		}
		h.encoder = append(h.encoder, codes{column: i, number: func(v float64) (float64, error) { return byteOf(v, negative), nil }})
	}
}

// byteOf converts a number to uint8 by int32, or to NaN if it is negative.
func byteOf(v float64, negative bool) float64 {
	switch {
	case v != v, v < 0 && !negative:
		return math.NaN()
	case v > math.MinInt32-1 && v < math.MaxInt32+1:
		return float64(uint8(int32(v)))
	}
	return 0
}

// encode returns a block with codes for categories.
func (e encoder) encode(w *graph.Work, x frame.Frame) (frame.Frame, error) {
	out := w.Dense(x.Rows, x.Cols)
	copy(out.Data, x.Data)
	if len(x.Texts) > 0 {
		if err := e.texts(out, x); err != nil {
			return out, err
		}
	}
	for i := range e {
		for at := e[i].column; at < len(out.Data); at += out.Cols {
			v, err := out.Data[at], error(nil)
			if !frame.IsText(v) {
				v, err = e[i].number(v)
			} else if code, ok := e[i].texts[x.Texts[at]]; ok {
				v = code
			}
			if out.Data[at] = v; err != nil {
				return out, err
			}
		}
	}
	return out, nil
}

// texts reads the strings in columns of numbers.
func (e encoder) texts(out, x frame.Frame) error {
	for i, v := range x.Data {
		if !frame.IsText(v) || e.strings(i%x.Cols) {
			continue
		}
		number, err := frame.Float(x.Texts[i])
		if err != nil {
			return err
		}
		out.Data[i] = number
	}
	return nil
}

// strings reports whether a column's categories are strings.
func (e encoder) strings(column int) bool {
	for i := range e {
		if e[i].column == column {
			return e[i].texts != nil
		}
	}
	return false
}

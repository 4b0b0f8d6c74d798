// SPDX-License-Identifier: Apache-2.0

package columns

import (
	"fmt"
	"strconv"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// categories are those of a column, with their codes. Missing values may be
// categories too: None and NaN are two.
type categories struct {
	numbers   map[float64]int32
	texts     map[string]int32
	none, nan int32 // -1 if they are no categories
	n         int
	kind      frame.Kind
}

// first returns the first string among the categories.
func (c *categories) first() string {
	for text, code := range c.texts {
		if code == 0 {
			return text
		}
	}
	return ""
}

const categoryCost = 64 // bytes

// pandas3 is the first scikit-learn whose DataFrames are those of pandas 3, where a
// missing string is NaN. Before, it is None.
const pandas3 = 108

func newCategories(e *fitted.Estimator, v any) *categories {
	c := &categories{none: -1, nan: -1}
	arr, ok := v.(*pickle.Array)
	if !ok {
		e.Failf("the categories of a feature are %s", pickle.Describe(v))
		return c
	}
	values := e.Values(arr)
	if !e.Alloc(categoryCost * len(values)) {
		return c
	}
	c.n = len(values)
	c.numbers, c.texts = map[float64]int32{}, map[string]int32{}
	for i, v := range values {
		c.add(e, v, int32(i))
	}
	e.Require(c.n > 0, "a feature has no categories")
	switch {
	case len(c.numbers) > 0 && (len(c.texts) > 0 || c.none >= 0):
		c.kind = frame.Anything
	case len(c.texts) > 0 || c.none >= 0 || arr.Kind() == 'O' && len(c.numbers) == 0:
		c.kind = frame.Strings
	}
	return c
}

func (c *categories) add(e *fitted.Estimator, v any, code int32) {
	const exact = 1 << 53
	switch v := v.(type) {
	case string:
		c.texts[v] = code
	case float64:
		if v != v {
			c.nan = code
		} else {
			c.numbers[v] = code
		}
	case int64:
		if v > exact || v < -exact {
			e.Failf("the category %d is no exact number, which is not supported", v)
		}
		c.numbers[float64(v)] = code
	case bool:
		c.numbers[map[bool]float64{true: 1}[v]] = code
	case pickle.None:
		c.none = code
	default:
		e.Failf("a category is %s, which is not supported", pickle.Describe(v))
	}
}

// find returns the code of a value, or -1.
func (c *categories) find(x *frame.Frame, i int) int32 {
	v := x.Data[i]
	if v == v {
		if code, ok := c.numbers[v]; ok {
			return code
		}
		return -1
	}
	switch {
	case frame.IsText(v):
		if code, ok := c.texts[x.Texts[i]]; ok {
			return code
		}
		return -1
	case frame.IsNone(v):
		return c.none
	}
	return c.nan
}

// encoder is what the encoders of categories have in common.
type encoder struct {
	input   graph.Input
	columns []*categories
	refuse  bool      // unknown categories
	mapped  [][]int32 // codes with those of rare categories in one, or nil
	rare    []int32   // that code, or -1
	pandas3 bool
}

func newEncoder(e *fitted.Estimator) encoder {
	var n encoder
	text := false
	for _, v := range e.List("categories_") {
		c := newCategories(e, v)
		n.columns = append(n.columns, c)
		text = text || c.kind != frame.Numbers
		if !e.Ok() {
			return n
		}
	}
	n.input = e.Input(len(n.columns))
	n.input.AllowNaN = true
	n.pandas3 = e.Version() >= pandas3
	if text {
		for j, c := range n.columns {
			n.input.Kinds = append(n.input.Kinds, c.kind)
			n.input.Example(j, c.first())
		}
	}
	n.group(e)
	return n
}

// group reads which categories are rare: since 1.1, and together they are one.
func (n *encoder) group(e *fitted.Estimator) {
	if !e.Flag("_infrequent_enabled") {
		return
	}
	rare, maps := e.List("_infrequent_indices"), e.List("_default_to_infrequent_mappings")
	if len(rare) != len(n.columns) || len(maps) != len(n.columns) {
		e.Failf("its rare categories do not fit the features")
		return
	}
	for j, c := range n.columns {
		if maps[j] == any(pickle.None{}) {
			n.mapped, n.rare = append(n.mapped, nil), append(n.rare, -1)
			continue
		}
		codes, indices := e.IntsOf(maps[j], "_default_to_infrequent_mappings"), e.IntsOf(rare[j], "_infrequent_indices")
		if !e.Alloc(4 * len(codes)) {
			return
		}
		mapped := make([]int32, 0, len(codes))
		for _, v := range codes {
			e.Require(v >= 0 && v < int64(c.n), "a rare category is out of range")
			mapped = append(mapped, int32(v))
		}
		if c.nan >= 0 && len(codes) == int(c.nan) {
			mapped = append(mapped, -1) // OrdinalEncoder does not count the missing values
		}
		if len(mapped) != c.n || len(indices) == 0 || indices[0] < 0 || indices[0] >= int64(c.n) {
			e.Failf("its rare categories do not fit the features")
			return
		}
		n.mapped, n.rare = append(n.mapped, mapped), append(n.rare, mapped[indices[0]])
	}
}

// sizes are the numbers of codes of the columns.
func (n *encoder) sizes() []int {
	out := make([]int, 0, len(n.columns))
	for j, c := range n.columns {
		size := c.n
		if n.mapped != nil && n.mapped[j] != nil {
			size = 1
			for _, v := range n.mapped[j] {
				size = max(size, int(v)+1)
			}
		}
		out = append(out, size)
	}
	return out
}

func (n *encoder) Input() *graph.Input { return &n.input }

// code returns that of a value, or -1 for one that is not known.
func (n *encoder) code(x *frame.Frame, i, column int) (int32, error) {
	code := n.columns[column].find(x, i)
	switch {
	case code < 0 && n.refuse:
		return 0, frame.InputErrorf("Found unknown categories [%s] in column %d during transform", show(x, i), column)
	case code >= 0 && n.mapped != nil && n.mapped[column] != nil:
		return n.mapped[column][code], nil
	}
	return code, nil
}

// show writes a value as Python does, for a message.
func show(x *frame.Frame, i int) string {
	const most = 40
	switch v := x.Data[i]; {
	case frame.IsText(v):
		if text := []rune(x.Texts[i]); len(text) > most {
			return fmt.Sprintf("'%s...'", string(text[:most]))
		}
		return "'" + x.Texts[i] + "'"
	case frame.IsNone(v):
		return "None"
	case v != v:
		return "nan"
	default:
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
}

// nulls returns the block as pandas 3 makes it: a missing string in a column with a
// name is NaN.
func nulls(w *graph.Work, x frame.Frame) frame.Frame {
	if len(x.Names) == 0 {
		return x
	}
	for i, v := range x.Data {
		if !frame.IsNone(v) {
			continue
		}
		data := w.Floats(len(x.Data))
		copy(data, x.Data)
		for ; i < len(data); i++ {
			if frame.IsNone(data[i]) {
				data[i] = nan
			}
		}
		x.Data = data
		break
	}
	return x
}

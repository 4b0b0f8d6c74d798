// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"math"
	"slices"

	"github.com/serin-dev/serin/internal/model/frame"
)

// datatype is one of the V2 protocol's types of values.
type datatype struct {
	name  string
	size  int        // of a value, in bytes; 0 for BYTES
	kind  valueKind  // how a value is read
	numpy frame.Type // numpy's type of the same values
}

type valueKind byte

const (
	floats valueKind = iota
	integers
	naturals // unsigned integers
	truths
	texts
)

// datatypes are all of them. FP16 has no type of answers.
var datatypes = []datatype{
	{"FP64", 8, floats, frame.Float64},
	{"FP32", 4, floats, frame.Float32},
	{"FP16", 2, floats, frame.Float32},
	{"INT64", 8, integers, frame.Int64},
	{"INT32", 4, integers, frame.Int32},
	{"INT16", 2, integers, frame.Int16},
	{"INT8", 1, integers, frame.Int8},
	{"UINT64", 8, naturals, frame.Uint64},
	{"UINT32", 4, naturals, frame.Uint32},
	{"UINT16", 2, naturals, frame.Uint16},
	{"UINT8", 1, naturals, frame.Uint8},
	{"BOOL", 1, truths, frame.Bool},
	{"BYTES", 0, texts, frame.Bytes},
}

// datatypeOf returns the datatype of a name, in capitals or not.
func datatypeOf(name string) *datatype {
	for i := range datatypes {
		if equalFold(datatypes[i].name, name) {
			return &datatypes[i]
		}
	}
	return nil
}

// equalFold compares with ASCII capitals.
func equalFold(capitals, s string) bool {
	if len(s) != len(capitals) {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != capitals[i] {
			return false
		}
	}
	return true
}

// datatypeFor returns the datatype of an answer.
func datatypeFor(t frame.Type) *datatype {
	i := slices.IndexFunc(datatypes, func(d datatype) bool { return d.numpy == t })
	return &datatypes[i]
}

const (
	maxInputs = 1 << 16 // bounds the memory for tensors without values
	maxDims   = 64      // numpy's bound
	exact     = 1 << 53 // the largest integer up to which a float64 is exact
)

var errTooManyDims = inputError(fmt.Sprintf("maximum supported dimension for an ndarray is %d", maxDims))

var errNotSingle = inputError("The model works on single values: the shape must be [rows]")

// tensor is one input of a V2 request. The memory of its values is reused.
type tensor struct {
	name     string
	typ      *datatype
	shape    []int64
	values   []float64
	texts    []string // empty, or the strings of values that are frame.Text
	rounded  bool     // an integer was beyond 2^53
	rawBytes int64    // size of its binary data, or -1
}

// reset empties a tensor.
func (t *tensor) reset() {
	*t = tensor{shape: t.shape[:0], values: t.values[:0], texts: t.texts[:0], rawBytes: -1}
}

// clear forgets the values.
func (t *tensor) clear() {
	t.values, t.texts, t.rounded = t.values[:0], t.texts[:0], false
}

// next returns the next input of a request.
func (b *batch) next() (*tensor, error) {
	if len(b.inputs) == maxInputs {
		return nil, inputError(fmt.Sprintf("The request has more than %d inputs", maxInputs))
	}
	b.inputs = slices.Grow(b.inputs, 1)[:len(b.inputs)+1]
	t := &b.inputs[len(b.inputs)-1]
	t.reset()
	return t, nil
}

// room makes room for n values of a tensor.
func (b *batch) room(t *tensor, n int) error {
	err := b.checkRoom(n, t.typ.kind == texts)
	if err == nil {
		t.values = slices.Grow(t.values[:0], n)
	}
	return err
}

// add appends a number.
func (t *tensor) add(v float64) { t.values = append(t.values, plain(v)) }

// plain returns v, or the usual NaN for any: others stand for None and strings.
func plain(v float64) float64 {
	if math.IsNaN(v) {
		return math.NaN()
	}
	return v
}

// addInt appends an integer, and notes whether it is exact.
func (t *tensor) addInt(v int64) {
	t.rounded = t.rounded || v > exact || v < -exact
	t.values = append(t.values, float64(v))
}

// addUint appends an unsigned integer.
func (t *tensor) addUint(v uint64) {
	t.rounded = t.rounded || v > exact
	t.values = append(t.values, float64(v))
}

// addText appends a string.
func (t *tensor) addText(s string) {
	t.values = append(t.values, frame.Text)
	n := len(t.texts)
	t.texts = slices.Grow(t.texts, len(t.values)-n)[:len(t.values)]
	clear(t.texts[n:])
	t.texts[len(t.texts)-1] = s
}

// dims returns the shape for the values. One dimension may be negative, which means
// whatever fits.
func (t *tensor) dims() ([]int64, error) {
	free, product := -1, int64(1)
	for i, d := range t.shape {
		switch {
		case d < 0 && free >= 0:
			return nil, inputError("can only specify one unknown dimension")
		case d < 0:
			free = i
		case d > 0 && product > math.MaxInt64/d:
			return nil, t.misfit()
		default:
			product *= d
		}
	}
	n := int64(len(t.values))
	if free >= 0 && product > 0 && n%product == 0 {
		t.shape[free] = n / product
		product = n
	}
	if product != n || free >= 0 && t.shape[free] < 0 {
		return nil, t.misfit()
	}
	return t.shape, nil
}

func (t *tensor) misfit() error {
	return fmt.Errorf("input %q has %d values, which do not fit its shape %v", t.name, len(t.values), t.shape)
}

// fill makes the frame of the inputs. In a DataFrame each of them is a column.
// Otherwise the first is the whole, and the others do not count, as in KServe.
func (b *batch) fill(dataframe bool) error {
	if len(b.inputs) == 0 {
		return inputError("the request has no inputs")
	}
	b.x = frame.Frame{Data: b.x.Data[:0], Texts: b.x.Texts[:0]}
	b.texts, b.lists = false, true
	read := b.fillFirst
	if dataframe {
		read = b.fillColumns
	}
	if err := read(); err != nil {
		return err
	}
	if b.texts {
		b.pad()
	}
	return nil
}

// fillFirst takes the first input for the whole.
func (b *batch) fillFirst() error {
	t := &b.inputs[0]
	dims, err := t.dims()
	switch {
	case err != nil:
		return err
	case (b.schema.Flat || b.schema.Open) && len(dims) == 1:
		b.x.Rows, b.x.Cols, b.x.Flat = int(dims[0]), 1, b.schema.Open
	case len(dims) < 2:
		return inputError("Expected 2D array, got 1D array instead: the shape must be [rows, columns]")
	case len(dims) > 2:
		return inputError(fmt.Sprintf("Found array with dim %d, while dim <= 2 is required: the shape must be [rows, columns]", len(dims)))
	default:
		b.x.Rows, b.x.Cols = int(dims[0]), int(dims[1])
	}
	if b.x.Rows == 0 || b.x.Cols == 0 {
		return inputError(fmt.Sprintf("Found array with 0 values (shape=%v): the request has no rows, or no columns", dims))
	}
	if b.schema.Flat && b.x.Cols != 1 {
		return errNotSingle
	}
	if !b.mixed() && len(t.texts) == 0 && (!b.schema.Open || !t.rounded) { // the common case copies nothing
		b.x.Data, t.values = t.values, b.x.Data
		return nil
	}
	if err := b.checkRoom(len(t.values), len(t.texts) > 0); err != nil {
		return err
	}
	for i := range t.values {
		if err := b.take(t, i, i%b.x.Cols); err != nil {
			return err
		}
	}
	return nil
}

// mixed reports whether a column of the model may hold something else than numbers.
func (b *batch) mixed() bool {
	return slices.ContainsFunc(b.schema.Kinds, func(k frame.Kind) bool { return k != frame.Numbers })
}

// take adds value i of a tensor to the frame, as the kind of its column wants it.
func (b *batch) take(t *tensor, i, column int) error {
	v := t.values[i]
	kind := b.schema.Kind(column)
	switch {
	case kind != frame.Numbers && t.rounded:
		return fmt.Errorf("input %q has an integer beyond 2^53, which may be rounded: send it as BYTES, or smaller", t.name)
	case frame.IsText(v) && kind == frame.Numbers:
		number, err := frame.Float(t.texts[i])
		if err != nil {
			return err
		}
		v = number
	case frame.IsText(v):
		b.texts, b.last = true, t.texts[i]
	case frame.IsNone(v) && kind == frame.Numbers:
		v = math.NaN()
	}
	b.put(v)
	return nil
}

// fillColumns takes each input for a column of a DataFrame, by its name.
func (b *batch) fillColumns() error {
	order, err := b.columnOrder()
	if err != nil {
		return err
	}
	rows := len(b.inputs[0].values)
	for i := range b.inputs {
		t := &b.inputs[i]
		if _, err := t.dims(); err != nil {
			return err
		}
		if len(t.values) != rows {
			return fmt.Errorf("input %q has %d values, but the first has %d: each input is a column", t.name, len(t.values), rows)
		}
	}
	if rows == 0 {
		return inputError("Found array with 0 sample(s): the request has no rows")
	}
	if b.schema.Flat && len(order) != 1 {
		return errNotSingle
	}
	if err := b.checkRoom(rows*len(order), slices.ContainsFunc(b.inputs, func(t tensor) bool { return len(t.texts) > 0 })); err != nil {
		return err
	}
	b.x.Rows, b.x.Cols = rows, len(order)
	b.x.Data = slices.Grow(b.x.Data, rows*len(order))
	for row := range rows {
		for column, input := range order {
			if err := b.takeFrom(input, row, column); err != nil {
				return err
			}
		}
	}
	b.x.Names = b.schema.Names
	if len(b.schema.Names) == 0 {
		for i := range b.inputs {
			b.x.Names = append(b.x.Names, b.inputs[i].name)
		}
	}
	return nil
}

// takeFrom puts a value of an input into a column, which may have no input.
func (b *batch) takeFrom(input, row, column int) error {
	if input < 0 {
		b.put(b.missing(column))
		return nil
	}
	return b.take(&b.inputs[input], row, column)
}

// columnOrder returns the input of each column of the frame, or -1.
func (b *batch) columnOrder() ([]int, error) {
	names := b.schema.Names
	byName := make(map[string]int, len(b.inputs))
	order := make([]int, 0, len(b.inputs))
	for i := range b.inputs {
		name := b.inputs[i].name
		if _, twice := byName[name]; twice {
			return nil, fmt.Errorf("the input %q is there twice", name)
		}
		byName[name] = i
		order = append(order, i)
	}
	if len(names) == 0 {
		return order, nil // a model fitted on an array takes columns as they come
	}
	order = order[:0]
	for column, name := range names {
		i, ok := byName[name]
		if !ok && b.schema.Spare(column) {
			i, ok = -1, true
		}
		if !ok {
			return nil, fmt.Errorf("there is no input %q, which is a column of the model", name)
		}
		order = append(order, i)
		delete(byName, name)
	}
	for i := range b.inputs {
		if _, unknown := byName[b.inputs[i].name]; unknown && len(b.schema.Picked) == 0 {
			return nil, fmt.Errorf("the input %q is no column of the model", b.inputs[i].name)
		}
	}
	return order, nil
}

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"fmt"
	"math"
	"slices"

	"github.com/serin-dev/serin/internal/model/frame"
)

// objects is the memory for rows that are objects, with their numbers by column.
type objects struct {
	columns []string       // the model's names of them, or else those of the first object
	extras  []string       // columns of one object that the model does not look at
	values  []column       // of one object, in the order of columns, then of extras
	index   []string       // names of the object's rows, where its columns are objects
	lookup  map[string]int // the same, once a name stands where it was not expected
	places  places         // of the columns, if they are many
}

// places are those of names, the first of equal ones.
type places struct {
	of    map[string]int
	known int // names that are in it
}

// column holds the values of one column of an object.
type column struct {
	kind   kind
	values []float64
	texts  []string // of values that are frame.Text, at the same index
}

// set puts a value, and its text if it is one, at an index of values.
func (c *column) set(i int, v float64, text string) {
	c.values[i] = v
	if frame.IsText(v) {
		c.texts = slices.Grow(c.texts, max(i+1-len(c.texts), 0))[:max(i+1, len(c.texts))]
		c.texts[i] = text
	}
}

// kind is how the values of a column were sent.
type kind byte

const (
	absent  kind = iota
	scalar       // number
	listed       // [number, ...]
	indexed      // {"index": number, ...}, which pandas makes
)

// object reads {"column": number, ...} as one row, or as several if the values are
// [number, ...] or {"index": number, ...}, as pandas.DataFrame does. A record has
// numbers only.
func (b *batch) object(p *parser, record bool) error {
	define := b.columns == nil // a model fitted on an array takes columns as they come
	for i := range b.values {
		b.values[i].kind = absent
	}
	b.index, b.lookup, b.extras = b.index[:0], nil, b.extras[:0]
	next := 0
	err := p.object(func(key string) error {
		i := b.find(key, next)
		switch {
		case i >= 0:
		case len(b.schema.Picked) > 0 && record:
			return p.skip()
		case len(b.schema.Picked) > 0:
			var err error
			if i, err = b.extra(key); err != nil {
				return err
			}
		case !define:
			return fmt.Errorf("instance %d has an unknown feature %q", b.x.Rows, key)
		case len(b.columns) == b.schema.Width && !b.schema.Open:
			return fmt.Errorf("instance %d has more features than the %d that the model works on", b.x.Rows, b.schema.Width)
		default:
			i = len(b.columns)
			b.columns = append(b.columns, key)
		}
		next = i + 1
		for len(b.values) <= i {
			b.values = append(b.values, column{})
		}
		c := &b.values[i]
		if c.kind == indexed {
			return fmt.Errorf("instance %d has the feature %q twice", b.x.Rows, key)
		}
		c.values, c.texts = c.values[:0], c.texts[:0] // the last of equal keys wins
		return b.column(p, i, record)
	})
	if err != nil {
		return err
	}
	return b.transpose(p)
}

// extra returns the place of a column that the model does not look at. Its length
// counts, as in a DataFrame.
func (b *batch) extra(key string) (int, error) {
	const most = 1000
	i := slices.Index(b.extras, key)
	switch {
	case i >= 0:
	case len(b.extras) == most:
		return 0, fmt.Errorf("instance %d has more than %d features that the model does not look at", b.x.Rows, most)
	default:
		i = len(b.extras)
		b.extras = append(b.extras, key)
	}
	return len(b.columns) + i, nil
}

// missing is the value of a column that a row lacks.
func (b *batch) missing(column int) float64 {
	if b.schema.Kind(column) == frame.Numbers {
		return math.NaN()
	}
	return frame.None
}

// record reads an object in a list, as one row.
func (b *batch) record(p *parser) error {
	if p.peek() != '{' {
		return fmt.Errorf("instance %d is not an object, as those before it", b.x.Rows)
	}
	return b.object(p, true)
}

// find returns the column of a name, or -1. It looks first where it is most likely.
func (o *objects) find(name string, likely int) int {
	const few = 32
	switch {
	case likely < len(o.columns) && o.columns[likely] == name:
		return likely
	case len(o.columns) <= few:
		return slices.Index(o.columns, name)
	case o.places.of == nil:
		o.places.of = make(map[string]int, len(o.columns))
	}
	p := &o.places
	for ; p.known < len(o.columns); p.known++ {
		if _, ok := p.of[o.columns[p.known]]; !ok {
			p.of[o.columns[p.known]] = p.known
		}
	}
	if i, ok := p.of[name]; ok {
		return i
	}
	return -1
}

// column reads the value or values of a column.
func (b *batch) column(p *parser, i int, record bool) error {
	c := &b.values[i]
	one := func() error {
		v, err := b.cell(p, i)
		c.values = append(c.values, 0)
		c.set(len(c.values)-1, v, b.last)
		return err
	}
	switch first := p.peek(); {
	case first == '[' && !record:
		c.kind = listed
		return p.array(one)
	case first == '{' && !record:
		c.kind = indexed
		return b.indexed(p, i)
	}
	c.kind = scalar
	return one()
}

// indexed reads {"index": number, ...}. The names of rows are those of the whole
// object, and a value that is not there is missing.
func (b *batch) indexed(p *parser, i int) error {
	c, next := &b.values[i], 0
	return p.object(func(name string) error {
		row := b.row(name, next)
		next = row + 1
		if row >= len(c.values) {
			if err := b.fits(len(b.index), p); err != nil {
				return err
			}
		}
		for len(c.values) <= row {
			c.values = append(c.values, math.NaN())
		}
		v, err := b.cell(p, i)
		c.set(row, v, b.last)
		return err
	})
}

// row returns the row of a name in the index, which gets the name if it is new.
func (b *batch) row(name string, likely int) int {
	if likely < len(b.index) && b.index[likely] == name {
		return likely
	}
	if b.lookup == nil {
		b.lookup = make(map[string]int, len(b.index))
		for i, known := range b.index {
			b.lookup[known] = i
		}
	}
	row, known := b.lookup[name]
	if !known {
		row = len(b.index)
		b.index = append(b.index, name)
		b.lookup[name] = row
	}
	return row
}

// transpose turns the columns of one object into rows.
func (b *batch) transpose(p *parser) error {
	rows, err := b.height()
	if err != nil {
		return err
	}
	if err := b.fits(rows, p); err != nil {
		return err
	}
	for row := range rows {
		for i := range b.columns {
			v, at, c := math.NaN(), row, &b.values[i]
			if c.kind == scalar {
				at = 0
			}
			switch {
			case c.kind == absent:
				v = b.missing(i)
			case at < len(c.values):
				v = c.values[at]
			}
			if frame.IsText(v) {
				b.last = c.texts[at]
			}
			b.put(v)
		}
		if err := b.added(len(b.columns)); err != nil {
			return err
		}
	}
	return nil
}

// fits returns an error if rows of one object would take far more memory than the body. A
// number for all rows, and an index for all columns, repeat what was sent once.
func (b *batch) fits(rows int, p *parser) error {
	const free = 1 << 20
	if len(b.x.Data)+rows*len(b.columns) > max(len(p.data), free) {
		return fmt.Errorf("instance %d repeats its values for too many rows: send each row", b.x.Rows)
	}
	return nil
}

// height returns the number of rows of one object.
func (b *batch) height() (int, error) {
	if len(b.columns) == 0 {
		return 0, fmt.Errorf("instance %d has no features", b.x.Rows)
	}
	var kinds [indexed + 1]bool
	rows := 1
	for len(b.values) < len(b.columns) {
		b.values = append(b.values, column{})
	}
	for i := range len(b.columns) + len(b.extras) {
		c := &b.values[i]
		if c.kind == absent && !b.schema.Spare(i) {
			return 0, fmt.Errorf("instance %d has no feature %q", b.x.Rows, b.columns[i])
		}
		if c.kind == listed && kinds[listed] && len(c.values) != rows {
			return 0, fmt.Errorf("the features of instance %d have different lengths", b.x.Rows)
		}
		if c.kind == listed {
			rows = len(c.values)
		}
		kinds[c.kind] = true
	}
	switch {
	case kinds[listed] && kinds[indexed]:
		return 0, inputError("Mixing dicts with non-Series may lead to ambiguous ordering.")
	case kinds[indexed]:
		rows = len(b.index)
	}
	return rows, nil
}

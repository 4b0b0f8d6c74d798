// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/serin-dev/serin/internal/model/frame"
)

// nesting is the form of nested lists, which must be regular as numpy's are.
type nesting struct {
	widths []int // of the lists, by depth; -1 is unknown
	leaf   int   // the depth of the values; 0 is unknown
}

// read reads the data of a tensor, in nested lists or in one.
func (t *tensor) read(p *parser) error {
	if t.typ.kind == floats && t.typ.size == 2 {
		inside := *p
		inside.pos++
		if inside.peek() != ']' {
			return inputError("Sending FP16 data via JSON is not supported. Please use the binary data format for input " + t.name)
		}
	}
	t.clear()
	var form nesting
	return t.list(p, &form, 1)
}

// list reads a list at a depth.
func (t *tensor) list(p *parser, form *nesting, depth int) error {
	n := 0
	err := p.array(func() error {
		if p.peek() == '[' {
			n++
			if form.leaf != 0 && form.leaf <= depth {
				return t.ragged()
			}
			return t.list(p, form, depth+1)
		}
		if form.leaf == 0 {
			form.leaf = depth
		}
		if form.leaf != depth {
			return t.ragged()
		}
		more, err := t.elements(p)
		n += more
		return err
	})
	if err != nil {
		return err
	}
	for len(form.widths) <= depth {
		form.widths = append(form.widths, -1)
	}
	if form.widths[depth] >= 0 && form.widths[depth] != n {
		return t.ragged()
	}
	form.widths[depth] = n
	return nil
}

func (t *tensor) ragged() error {
	return fmt.Errorf("the lists in input %q have different lengths or depths", t.name)
}

// elements reads a value, and the numbers that follow it.
func (t *tensor) elements(p *parser) (n int, err error) {
	err = t.element(p)
	for n = 1; err == nil && p.another(); n++ {
		err = t.number(p)
	}
	return n, err
}

// element reads one value.
func (t *tensor) element(p *parser) error {
	switch p.peek() {
	case '{':
		return fmt.Errorf("input %q holds an object in its data", t.name)
	case 't':
		return t.truth(p.word("true"), 1)
	case 'f':
		return t.truth(p.word("false"), 0)
	case 'n':
		return t.null(p)
	case '"':
		s, err := p.text()
		if err != nil {
			return err
		}
		return t.string(s)
	}
	return t.number(p)
}

func (t *tensor) truth(err error, v float64) error {
	t.values = append(t.values, v)
	return err
}

func (t *tensor) null(p *parser) error {
	switch t.typ.kind {
	case floats:
		t.add(math.NaN())
	case texts:
		t.values = append(t.values, frame.None)
	default:
		return fmt.Errorf("input %q holds null, but %s has no missing value", t.name, t.typ.name)
	}
	return p.word("null")
}

// string takes a string as numpy does: for a number, if that is wanted.
func (t *tensor) string(s string) error {
	switch t.typ.kind {
	case texts:
		t.addText(s)
		return nil
	case floats:
		v, err := frame.Float(s)
		if err != nil {
			return err
		}
		return t.float(v)
	case integers, naturals:
		return t.integer([]byte(strings.TrimSpace(s)))
	default:
		return fmt.Errorf("input %q holds the string %q: a BOOL is true or false", t.name, short(s))
	}
}

// short is the beginning of a string, for a message.
func short(s string) string {
	const most = 40
	if len(s) > most {
		return strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

func (t *tensor) number(p *parser) error {
	var l literal
	err := p.scan(&l)
	switch {
	case err != nil:
		return err
	case l.integer && !l.cut && t.fits(&l):
		t.addLiteral(&l)
		return nil
	case t.typ.kind == integers || t.typ.kind == naturals:
		return t.integer(p.data[l.start:l.end])
	}
	v, err := p.float(&l)
	switch {
	case err != nil:
		return err
	case t.typ.kind == floats:
		return t.float(v)
	case t.typ.kind == texts:
		t.rounded = t.rounded || math.Abs(v) >= exact
		t.add(v)
		return nil
	case t.typ.kind == truths && v != 0 && v != 1:
		return fmt.Errorf("input %q holds %s: a BOOL is true or false", t.name, short(string(p.data[l.start:l.end])))
	}
	t.add(v)
	return nil
}

// fits reports whether an integer is one of the datatype.
func (t *tensor) fits(l *literal) bool {
	bits := 8 * t.typ.size
	switch {
	case t.typ.kind == naturals:
		return !l.negative && l.mantissa <= math.MaxUint64>>(64-bits)
	case t.typ.kind != integers:
		return false
	case l.negative:
		return l.mantissa <= 1<<(bits-1)
	}
	return l.mantissa < 1<<(bits-1)
}

// addLiteral appends an integer that fits.
func (t *tensor) addLiteral(l *literal) {
	switch {
	case t.typ.kind == naturals:
		t.addUint(l.mantissa)
	case l.negative:
		t.addInt(-int64(l.mantissa))
	default:
		t.addInt(int64(l.mantissa))
	}
}

// float adds a number, rounded as the datatype is.
func (t *tensor) float(v float64) error {
	if t.typ.size == 4 {
		single := float64(float32(v))
		if math.IsInf(single, 0) && !math.IsInf(v, 0) {
			return fmt.Errorf("input %q holds %v, which is too large for FP32", t.name, v)
		}
		v = single
	}
	t.add(v)
	return nil
}

// integer adds an integer. It may be written as 7.0.
func (t *tensor) integer(text []byte) error {
	if whole, fraction, ok := bytes.Cut(text, []byte{'.'}); ok && len(bytes.Trim(fraction, "0")) == 0 {
		text = whole
	}
	var err error
	if t.typ.kind == integers {
		var v int64
		v, err = strconv.ParseInt(string(text), 10, 8*t.typ.size)
		t.addInt(v)
	} else {
		var v uint64
		v, err = strconv.ParseUint(string(bytes.TrimPrefix(text, []byte{'+'})), 10, 8*t.typ.size)
		t.addUint(v)
	}
	switch {
	case errors.Is(err, strconv.ErrRange):
		return fmt.Errorf("input %q holds %s, which is out of bounds for %s", t.name, short(string(text)), t.typ.name)
	case err != nil:
		return fmt.Errorf("input %q holds %s, which is no %s", t.name, short(string(text)), t.typ.name)
	}
	return nil
}

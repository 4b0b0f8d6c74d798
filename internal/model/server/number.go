// SPDX-License-Identifier: Apache-2.0

package server

import (
	"encoding/binary"
	"errors"
	"math"
	"math/bits"
	"strconv"
	"unsafe"
)

// literal is a JSON number: mantissa * 10^exponent.
type literal struct {
	start, end int // in the body
	mantissa   uint64
	exponent   int
	negative   bool
	integer    bool // it has neither fraction nor exponent
	cut        bool // it has more digits than the mantissa can hold, or a large exponent
}

const (
	maxDigits   = 19 // of which any number fits a uint64
	maxExponent = 1000
)

// scan reads -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)?.
func (p *parser) scan(l *literal) error {
	p.peek()
	*l = literal{}
	l.start, l.integer = p.pos, true
	l.negative = p.accept('-')
	first := p.pos
	if !p.accept('0') && !p.digits(&l.mantissa) {
		if p.pos < len(p.data) && (p.data[p.pos] == 'N' || p.data[p.pos] == 'I') {
			return p.syntax(`NaN and Infinity are not JSON: send null, or "nan" or "inf" as a string`)
		}
		return p.syntax("expected a value")
	}
	digits := p.pos - first
	if p.accept('.') {
		l.integer = false
		point := p.pos
		if !p.digits(&l.mantissa) {
			return p.syntax("expected a digit")
		}
		l.exponent = point - p.pos
		digits -= l.exponent
	}
	l.cut = digits > maxDigits
	if p.pos < len(p.data) && p.data[p.pos]|0x20 == 'e' {
		if err := p.exponent(l); err != nil {
			return err
		}
	}
	l.end = p.pos
	return nil
}

// digits reads digits, and appends them to a number, which may overflow.
func (p *parser) digits(n *uint64) bool {
	data, i, m := p.data, p.pos, *n
	for i+8 <= len(data) && isDigit(data[i+7]) { // most whole parts are short
		eight := binary.LittleEndian.Uint64(data[i:])
		if !allDigits(eight) {
			break
		}
		m = m*1e8 + eightDigits(eight)
		i += 8
	}
	for i < len(data) && isDigit(data[i]) {
		m = m*10 + uint64(data[i]-'0')
		i++
	}
	read := i > p.pos
	p.pos, *n = i, m
	return read
}

// allDigits reports whether eight characters are digits.
func allDigits(eight uint64) bool {
	const high = 0xf0f0f0f0f0f0f0f0
	return eight&high|(eight+0x0606060606060606)&high>>4 == 0x3333333333333333
}

// eightDigits returns their number: first of pairs of digits, then of pairs of these.
func eightDigits(eight uint64) uint64 {
	eight -= 0x3030303030303030
	eight = eight*10 + eight>>8
	const pairs = 0x000000ff000000ff
	return (eight&pairs*(100+1000000<<32) + eight>>16&pairs*(1+10000<<32)) >> 32
}

// exponent reads the exponent.
func (p *parser) exponent(l *literal) error {
	p.pos++
	l.integer = false
	negative := p.accept('-')
	if !negative {
		p.accept('+')
	}
	start, n := p.pos, uint64(0)
	if !p.digits(&n) {
		return p.syntax("expected a digit")
	}
	if p.pos-start > maxDigits || n > maxExponent {
		l.cut = true
		return nil
	}
	if negative {
		l.exponent -= int(n)
	} else {
		l.exponent += int(n)
	}
	return nil
}

// number reads a number.
func (p *parser) number() (float64, error) {
	var l literal
	if err := p.scan(&l); err != nil {
		return 0, err
	}
	return p.float(&l)
}

// float returns the nearest float64 to a number.
func (p *parser) float(l *literal) (float64, error) {
	if !l.cut && l.exponent <= 0 && l.exponent >= -maxDigits {
		f := quotient(l.mantissa, -l.exponent)
		if l.negative {
			f = -f
		}
		return f, nil
	}
	text := p.data[l.start:l.end]
	f, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(text), len(text)), 64)
	switch {
	case math.IsInf(f, 0): // 1e400
		return 0, &syntaxError{"number is infinity when parsed as double", l.start}
	case err != nil && !errors.Is(err, strconv.ErrRange): // 1e-400 is 0
		return 0, p.syntax("malformed number")
	}
	return f, nil
}

// powers are those of ten, from 10^0 to 10^19.
var powers = func() (p [maxDigits + 1]uint64) {
	p[0] = 1
	for i := range maxDigits {
		p[i+1] = 10 * p[i]
	}
	return p
}()

// quotient returns the nearest float64 to m / 10^n. If both are exact as floats, so is the
// rounding of their division. Otherwise it divides so that the quotient has 64 bits, and
// rounds that: all that matters of a remainder is that there is one.
func quotient(m uint64, n int) float64 {
	if n == 0 {
		return float64(m)
	}
	if m < 1<<53 {
		return float64(m) / float64(powers[n])
	}
	d := powers[n]
	up, down := bits.LeadingZeros64(m), bits.LeadingZeros64(d)
	high, low := m<<up, uint64(0)
	d <<= down
	if high >= d {
		high, low = high>>1, high<<63
		up--
	}
	q, rest := bits.Div64(high, low, d)
	if rest != 0 {
		q |= 1
	}
	return float64(q) * math.Float64frombits(uint64(1023+down-up-64)<<52)
}

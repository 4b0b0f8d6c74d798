// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// ParseFloat reads what Python's float() reads, which scikit-learn calls for a
// number that was sent as a string: decimal digits of any script, underscores
// between two of them, white space around, and the names of nan and infinity.
func ParseFloat(s string) (float64, bool) {
	s = strings.Trim(strings.Map(plain, s), " \t\n\v\f\r")
	unsigned := s
	if s != "" && (s[0] == '+' || s[0] == '-') {
		unsigned = s[1:]
	}
	if strings.EqualFold(unsigned, "nan") {
		return math.NaN(), true
	}
	if strings.ContainsAny(s, "xX") {
		return 0, false // ParseFloat reads hexadecimal numbers, float() does not
	}
	if strings.Contains(s, "_") {
		for i := range len(s) {
			if s[i] == '_' && (i == 0 || i == len(s)-1 || !isDigit(s[i-1]) || !isDigit(s[i+1])) {
				return 0, false
			}
		}
		s = strings.ReplaceAll(s, "_", "")
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, err == nil || math.IsInf(f, 0) // out of range is infinite
}

// plain returns the ASCII character for a digit or a space of another script, and
// one that no number has for other characters beyond ASCII.
func plain(r rune) rune {
	switch {
	case r < utf8.RuneSelf:
		return r
	case unicode.IsSpace(r):
		return ' '
	case !unicode.IsDigit(r):
		return '?'
	}
	n := rune(0) // scripts have their ten digits in a row, and some follow each other
	for unicode.IsDigit(r - n - 1) {
		n++
	}
	return '0' + n%10
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// Float is ParseFloat with the error that scikit-learn has.
func Float(s string) (float64, error) {
	v, ok := ParseFloat(s)
	if ok {
		return v, nil
	}
	const most = 40 // characters to repeat
	if short := []rune(s[:min(len(s), 4*most)]); len(short) > most {
		s = string(short[:most]) + "..."
	}
	return 0, InputError("could not convert string to float: '" + s + "'")
}

// Half returns the value of a float16 (IEEE 754-2008, binary16), exactly.
func Half(bits uint16) float64 {
	exponent, fraction := int(bits>>10&31), float64(bits&1023)
	value := math.Ldexp(1024+fraction, exponent-25)
	switch {
	case exponent == 0:
		value = math.Ldexp(fraction, -24)
	case exponent == 31 && fraction == 0:
		value = math.Inf(1)
	case exponent == 31:
		value = math.NaN()
	}
	if bits>>15 == 1 {
		return -value
	}
	return value
}

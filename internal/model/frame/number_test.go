// SPDX-License-Identifier: Apache-2.0

package frame

import (
	"math"
	"strings"
	"testing"
)

// The numbers, and what is none, are those of float() in Python 3.11, with which
// numpy and scikit-learn 1.9 agree.
func TestStringsAreTheNumbersOfPython(t *testing.T) {
	inf := math.Inf(1)
	for text, want := range map[string]float64{
		"6.8": 6.8, " 6.8 ": 6.8, "\t6.8\n": 6.8, "\v\f\r6.8": 6.8, "+6.8": 6.8, "-6.8": -6.8, ".5": .5, "5.": 5, "1e3": 1000, "1E+3": 1000,
		"1_000": 1000, "1_0.5_0": 10.5, "1e1_0": 1e10, "nan": math.NaN(), "NaN": math.NaN(), "-nan": math.NaN(), "+NAN": math.NaN(),
		"inf": inf, "-inf": -inf, "+Infinity": inf, "INFINITY": inf, "1e400": inf, "-1e400": -inf, "1e-400": 0,
		"٣": 3, "１": 1, "६.५": 6.5, "٣.٥e١": 35, "𝟙": 1, "𝟿": 9, "\u00a06.8": 6.8, "\u20036.8\u3000": 6.8, "6.8\u0085": 6.8,
		"12345678901234567890123": 12345678901234567890123, strings.Repeat("0", 400) + "1": 1, strings.Repeat("9", 309): inf,
	} {
		got, ok := ParseFloat(text)
		if !ok || got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("%q: %v, %t, want %v", text, got, ok, want)
		}
	}
	for _, text := range []string{
		"", " ", "x", "1__0", "_1", "1_", "1_.5", "1._5", "1_e3", "1e_3", "in_f", "n_an", "1e", "e1", ".", "+", "--6", "+-6", "- 6", "1 2",
		"infini", "nan(1)", "0x10", "0x1p3", "0X1P3", "0b1", "1p3", "1d3", "1,000", "6,8", "6.8f", "1+2j", "True", "None", "null",
		"\u200b6.8", "6.8\x00", "6.8\x1c", "\x1f6.8", "6.8\x7f", "−6.8", "²", "Ⅷ", "½", "\ufeff1", "\ufffd",
	} {
		if got, ok := ParseFloat(text); ok {
			t.Errorf("%q: %v, want no number", text, got)
		}
	}
}

// FuzzNumber checks that spaces and underscores do not change a number.
func FuzzNumber(f *testing.F) {
	for _, text := range []string{"6.8", "-1_0e+1_0", "nan", "infinity", "0x1p3", "٣", "\u00a01"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, ok := ParseFloat(text)
		if spaced, same := ParseFloat("\u2003 " + text + "\n"); same != ok || spaced != got && !math.IsNaN(got) {
			t.Fatalf("%q: %v, %t, but with spaces around %v, %t", text, got, ok, spaced, same)
		}
		if !ok {
			return
		}
		if short, same := ParseFloat(strings.ReplaceAll(text, "_", "")); !same || short != got && !math.IsNaN(got) {
			t.Fatalf("%q: %v, but without underscores %v, %t", text, got, short, same)
		}
	})
}

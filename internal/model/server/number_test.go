// SPDX-License-Identifier: Apache-2.0

package server

import (
	"encoding/json"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// sameAsStrconv compares number with strconv.ParseFloat, bit by bit.
func sameAsStrconv(t *testing.T, text string) {
	t.Helper()
	p := &parser{data: []byte(text)}
	got, err := p.number()
	if err == nil {
		err = p.end()
	}
	trimmed := strings.TrimSpace(text)
	number := json.Valid([]byte(text)) && (trimmed[0] == '-' || isDigit(trimmed[0]))
	want, _ := strconv.ParseFloat(trimmed, 64) // 1e-400 is 0
	if number = number && !math.IsInf(want, 0); number != (err == nil) || number && math.Float64bits(got) != math.Float64bits(want) {
		t.Fatalf("%q: %v, %v, want %v, a number %t", text, got, err, want, number)
	}
}

// Numbers halfway between two floats are the hardest to round, and those beside them.
func TestNumbersAreRoundedAsStrconvDoes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	digits := func(n int) string {
		text := []byte(strconv.Itoa(1 + r.IntN(9)))
		for len(text) < n {
			text = append(text, byte('0'+r.IntN(10)))
		}
		return string(text)
	}
	for range 200_000 {
		text := digits(1 + r.IntN(21))
		point := r.IntN(len(text) + 1)
		whole := text[:point]
		if whole == "" {
			whole = "0"
		}
		if point < len(text) {
			text = whole + "." + text[point:]
		}
		switch r.IntN(8) {
		case 0:
			text = "-" + text
		case 1:
			text += "e" + strconv.Itoa(r.IntN(50)-25)
		case 2:
			text = "0." + strings.Repeat("0", r.IntN(12)) + digits(1+r.IntN(17))
		case 3:
			text = strconv.FormatFloat(r.NormFloat64()*math.Pow(10, float64(r.IntN(30)-15)), 'g', -1, 64)
			text = strings.Replace(text, "e+", "e", 1)
		case 4: // m + 1/2 of the last place, of which the float is m * 2^-k
			k := 1 + r.IntN(18)
			half := new(big.Rat).SetFrac(new(big.Int).SetUint64(r.Uint64N(1<<54)<<1|1), new(big.Int).Lsh(big.NewInt(1), uint(k)))
			text = half.FloatString(k)
		}
		sameAsStrconv(t, text)
	}
	for _, text := range []string{
		"0", "-0", "-0.0", "0e400", "9007199254740993", "9007199254740992.5", "9007199254740993.0000000000", "18446744073709551615", "9999999999999999999",
		"0.9999999999999999999", "1.0000000000000000001", "99999999999999999999", "1e400", "-1e400", "1e-400", "1e99999999999999999999", "1e-99999999999999999999",
		"0.0000000000000000001", "12345678.12345678", "123456789.123456789", "1E5", "1e+5", "1e-5", "2.2250738585072014e-308", "4.9e-324", "1.7976931348623157e308",
	} {
		sameAsStrconv(t, text)
	}
}

func FuzzNumber(f *testing.F) {
	for _, text := range []string{"0", "-1.5", "12345678.87654321e-7", "9007199254740993", "0.30000000000000004", "1e400", "1.", "01", "-", "1e", "1234567:", "12345678/", " 7"} {
		f.Add(text)
	}
	f.Fuzz(sameAsStrconv)
}

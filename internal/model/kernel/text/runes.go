// SPDX-License-Identifier: Apache-2.0

package text

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// isWord reports whether Python's \w matches a character.
func isWord(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '_'
	}
	return unicode.IsLetter(r) || unicode.IsNumber(r)
}

// isSpace reports whether Python's \s matches a character.
func isSpace(r rune) bool { return unicode.IsSpace(r) || '\x1c' <= r && r <= '\x1f' }

// lower is Python's str.lower: Unicode's full mapping, of which Go's ToLower has but
// the simple part.
func lower(s string) string {
	if !strings.ContainsAny(s, "İΣ") {
		return strings.Map(unicode.ToLower, s)
	}
	var b strings.Builder
	for i, r := range s {
		switch r {
		case 'İ':
			b.WriteString("i\u0307")
		case 'Σ':
			b.WriteRune(sigma(s[:i], s[i+len("Σ"):]))
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// sigma returns the lower case of a capital sigma, which at the end of a word is
// another letter: Unicode's condition Final_Sigma.
func sigma(before, after string) rune {
	for before != "" {
		r, n := utf8.DecodeLastRuneInString(before)
		if before = before[:len(before)-n]; isIgnorable(r) {
			continue
		}
		if !isCased(r) {
			return 'σ'
		}
		for _, r := range after {
			if !isIgnorable(r) {
				if isCased(r) {
					return 'σ'
				}
				break
			}
		}
		return 'ς'
	}
	return 'σ'
}

func isCased(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Lowercase, unicode.Other_Uppercase)
}

// isIgnorable reports whether a character is Case_Ignorable.
func isIgnorable(r rune) bool {
	const inWords = "'.:\u00b7\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a"
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) || strings.ContainsRune(inWords, r)
}

// stripAccents decomposes a text, and leaves out the marks that combine.
func stripAccents(s string) string {
	if isASCII(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if norm.NFD.PropertiesString(string(r)).CCC() != 0 {
			return -1
		}
		return r
	}, norm.NFKD.String(s))
}

// stripASCII decomposes a text, and leaves out what is not ASCII.
func stripASCII(s string) string {
	if isASCII(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return -1
		}
		return r
	}, norm.NFKD.String(s))
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// squeeze replaces two and more spaces by one.
func squeeze(s string) string {
	var b strings.Builder
	run, first := 0, rune(0)
	end := func() {
		switch {
		case run == 1:
			b.WriteRune(first)
		case run > 1:
			b.WriteByte(' ')
		}
		run = 0
	}
	for _, r := range s {
		if isSpace(r) {
			if run == 0 {
				first = r
			}
			run++
			continue
		}
		end()
		b.WriteRune(r)
	}
	end()
	return b.String()
}

// SPDX-License-Identifier: Apache-2.0

package text

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"
)

// splitter calls yield with the tokens of a text.
type splitter func(s string, yield func(token string))

// words returns the splitter for words of at least so many characters.
func words(least int) splitter {
	return func(s string, yield func(string)) {
		from, n := -1, 0
		for i, r := range s {
			switch {
			case isWord(r) && from < 0:
				from, n = i, 1
			case isWord(r):
				n++
			case from >= 0:
				if n >= least {
					yield(s[from:i])
				}
				from = -1
			}
		}
		if from >= 0 && n >= least {
			yield(s[from:])
		}
	}
}

// wordPatterns are the patterns of words, with the number of characters that these
// have at least.
var wordPatterns = map[string]int{
	`\b\w\w+\b`: 2, `\b\w+\b`: 1, `\w+`: 1, `\w\w+`: 2, `\b\w\w\w+\b`: 3, `\b\w{2,}\b`: 2, `\b\w{3,}\b`: 3, `\w{2,}`: 2, `\w{3,}`: 3,
}

// parsePattern returns the splitter of a token_pattern. Go's regular expressions find
// the same matches as Python's, for patterns that mean the same to both.
func parsePattern(pattern string) (splitter, error) {
	body := strings.TrimPrefix(pattern, "(?u)")
	if least, ok := wordPatterns[body]; ok {
		return words(least), nil
	}
	translated, err := translate(body)
	if err != nil {
		return nil, err
	}
	re, err := regexp.Compile(translated)
	if err != nil {
		return nil, errPattern(err.Error())
	}
	if re.NumSubexp() > 1 || re.MatchString("") {
		return nil, errPattern("several groups, or a match of nothing")
	}
	return func(s string, yield func(string)) {
		for s != "" {
			at := re.FindStringSubmatchIndex(s)
			switch {
			case at == nil || at[1] == 0:
				return
			case len(at) == 2:
				yield(s[at[0]:at[1]])
			case at[2] < 0:
				yield("")
			default:
				yield(s[at[2]:at[3]])
			}
			s = s[at[1]:] // no part of a pattern looks back
		}
	}, nil
}

type errPattern string

func (e errPattern) Error() string { return "token_pattern is not supported: " + string(e) }

// What Python's classes are in Go.
const (
	wordClass  = `\p{L}\p{N}_`
	digitClass = `\p{Nd}`
	spaceClass = `\t-\r\x1c-\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}`
)

var classes = map[byte]string{'w': wordClass, 'd': digitClass, 's': spaceClass}

// translate writes a pattern of Python for Go, or refuses one that is not made of
// characters, classes, repetitions, alternatives and groups.
func translate(pattern string) (string, error) {
	if !utf8.ValidString(pattern) {
		return "", errPattern("it is no text")
	}
	var b strings.Builder
	inside := false // of brackets
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '\\':
			i++
			if i == len(pattern) {
				return "", errPattern("it ends in a backslash")
			}
			part, ok := escape(pattern[i], inside)
			if !ok {
				return "", errPattern(fmt.Sprintf(`\%c`, pattern[i]))
			}
			b.WriteString(part)
			continue
		case inside && c == '[' || !inside && (c == '^' || c == '$'):
			return "", errPattern(string(c))
		case c == '[':
			inside = true
			if strings.HasPrefix(pattern[i+1:], "]") || strings.HasPrefix(pattern[i+1:], "^]") {
				return "", errPattern("a bracket in brackets")
			}
		case c == ']' && inside:
			inside = false
		case c == '(' && !inside && strings.HasPrefix(pattern[i+1:], "?") && !strings.HasPrefix(pattern[i+1:], "?:"):
			return "", errPattern("(?")
		}
		b.WriteByte(c)
	}
	return b.String(), nil
}

// escape translates what follows a backslash.
func escape(c byte, inside bool) (string, bool) {
	lower := c | 0x20
	class, ok := classes[lower]
	switch {
	case ok && inside:
		return class, c == lower
	case ok && c == lower:
		return "[" + class + "]", true
	case ok:
		return "[^" + class + "]", true
	case c == 't' || c == 'n' || c == 'r' || c == 'f' || c == 'v':
		return `\` + string(c), true
	}
	return `\` + string(c), strings.IndexByte(`.-'"+*?()[]{}|/\@#&%!,:;<>=~^$_`, c) >= 0 && c != '_' && c != '<' && c != '>'
}

// SPDX-License-Identifier: Apache-2.0

package text

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// splitter calls yield with the tokens of a text, and the steps to find each, while it
// returns true.
type splitter func(s string, yield func(token string, steps int) bool)

// words returns the splitter for words of at least so many characters.
func words(least int) splitter {
	return func(s string, yield func(string, int) bool) {
		from, n := -1, 0
		for i, r := range s {
			switch {
			case isWord(r) && from < 0:
				from, n = i, 1
			case isWord(r):
				n++
			case from >= 0:
				if n >= least && !yield(s[from:i], i-from) {
					return
				}
				from = -1
			}
		}
		if from >= 0 && n >= least {
			yield(s[from:], len(s)-from)
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
	const longest = 1 << 10
	if len(pattern) > longest {
		return nil, errPattern("it is too long")
	}
	body := strings.TrimPrefix(pattern, "(?u)")
	if least, ok := wordPatterns[body]; ok {
		return words(least), nil
	}
	body, first := strings.CutPrefix(body, `\b`)
	last := strings.HasSuffix(body, `\b`) && !strings.HasSuffix(body, `\\b`)
	if last {
		body = strings.TrimSuffix(body, `\b`)
	}
	t := translator{marked: first || last}
	translated, err := t.translate(body)
	if err != nil {
		return nil, err
	}
	whole := translated
	if first {
		whole = edge + whole
	}
	if last {
		whole += edge
	}
	if err := small(whole); err != nil {
		return nil, err
	}
	re, err := regexp.Compile(whole)
	if err != nil {
		return nil, errPattern(err.Error())
	}
	if empty, err := regexp.Compile(translated); err != nil || re.NumSubexp() > 1 || empty.MatchString("") {
		return nil, errPattern("several groups, or a match of nothing")
	}
	m := matcher{re, t.marked, last}
	return m.split, nil
}

// small refuses a pattern whose automaton is large: each character of a text takes a
// step in all of its states, and nothing ends a search in between.
func small(pattern string) error {
	const states = 1 << 9
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return errPattern(err.Error())
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return errPattern(err.Error())
	}
	if len(program.Inst) > states {
		return errPattern("it repeats too much")
	}
	return nil
}

// matcher splits by a regular expression. Go's \b knows the words of ASCII only, so
// for a pattern with \b, the edges of words are marked by a character of their own.
type matcher struct {
	re     *regexp.Regexp
	marked bool // the text is
	last   bool // a match ends with a mark, which the next one may begin with
}

// edge is a character that no text may have: Unicode's noncharacter.
const edge = "\ufdd0"

func (m *matcher) split(s string, yield func(string, int) bool) {
	if m.marked {
		s = markEdges(s)
	}
	for s != "" {
		at := m.re.FindStringSubmatchIndex(s)
		if at == nil {
			return
		}
		from, to := at[0], at[1]
		if len(at) > 2 {
			from, to = max(at[2], 0), max(at[3], 0)
		}
		token := s[from:to]
		if m.marked {
			token = strings.ReplaceAll(token, edge, "")
		}
		if !yield(token, len(s)) { // the search for a longer match may have read all of it
			return
		}
		next := at[1]
		if m.last {
			next -= len(edge)
		}
		if next <= 0 {
			return
		}
		s = s[next:] // no part of a pattern looks back
	}
}

// markEdges puts the mark where a word begins or ends.
func markEdges(s string) string {
	var b strings.Builder
	inside := false
	for _, r := range s {
		if isWord(r) != inside {
			inside = !inside
			b.WriteString(edge)
		}
		if string(r) != edge {
			b.WriteRune(r)
		}
	}
	if inside {
		b.WriteString(edge)
	}
	return b.String()
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

// translator writes a pattern of Python for Go, or refuses one that is not made of
// characters, classes, repetitions, alternatives and groups.
type translator struct {
	marked bool // the edges of words are: before each character there may be a mark
	out    strings.Builder
	depth  int // of groups
}

func (t *translator) translate(pattern string) (string, error) {
	if !utf8.ValidString(pattern) {
		return "", errPattern("it is no text")
	}
	for pattern != "" {
		n, err := t.part(pattern)
		if err != nil {
			return "", err
		}
		pattern = pattern[n:]
	}
	return t.out.String(), nil
}

// atom writes what matches a character.
func (t *translator) atom(s string) {
	if t.marked {
		s = "(?:" + edge + "?" + s + ")"
	}
	t.out.WriteString(s)
}

// part translates what a pattern begins with, and returns its length.
func (t *translator) part(p string) (int, error) {
	c := p[0]
	switch {
	case c == '[':
		return t.class(p)
	case c == '\\':
		text, err := escape(p, false, t.marked)
		t.atom(text)
		return 2, err
	case c == '.':
		t.atom(`[^\n` + edge + `]`)
	case c == '^' || c == '$', c == '|' && t.marked && t.depth == 0:
		return 0, errPattern(string(c))
	case c == '(' && strings.HasPrefix(p, "(?") && !strings.HasPrefix(p, "(?:"):
		return 0, errPattern("(?")
	case strings.HasPrefix(p, "(?:"):
		t.depth++
		t.out.WriteString("(?:")
		return len("(?:"), nil
	case c == '{':
		return t.count(p)
	case strings.IndexByte("()|*+?", c) >= 0:
		t.depth += map[byte]int{'(': 1, ')': -1}[c]
		t.out.WriteByte(c)
	default:
		_, n := utf8.DecodeRuneInString(p)
		t.atom(regexp.QuoteMeta(p[:n]))
		return n, nil
	}
	return 1, nil
}

var counts = regexp.MustCompile(`^\{[0-9]+(,[0-9]*)?\}`)

// count copies {2,3}.
func (t *translator) count(p string) (int, error) {
	found := counts.FindString(p)
	if found == "" {
		return 0, errPattern("{")
	}
	t.out.WriteString(found)
	return len(found), nil
}

// class translates brackets.
func (t *translator) class(p string) (int, error) {
	var b strings.Builder
	b.WriteByte('[')
	i := 1
	if strings.HasPrefix(p[i:], "^") {
		b.WriteString("^" + edge)
		i++
	}
	for start := i; i < len(p); i++ {
		switch c := p[i]; {
		case c == ']' && i > start:
			b.WriteByte(c)
			t.atom(b.String())
			return i + 1, nil
		case c == ']' || c == '[':
			return 0, errPattern("a bracket in brackets")
		case c == '\\':
			text, err := escape(p[i:], true, t.marked)
			if err != nil {
				return 0, err
			}
			b.WriteString(text)
			i++
		default:
			b.WriteByte(c)
		}
	}
	return 0, errPattern("brackets without an end")
}

// escape translates a backslash and what follows it.
func escape(p string, inside, marked bool) (string, error) {
	if len(p) < 2 {
		return "", errPattern("it ends in a backslash")
	}
	c := p[1]
	lower := c | 0x20
	class, ok := classes[lower]
	switch {
	case ok && inside && c == lower:
		return class, nil
	case ok && c == lower:
		return "[" + class + "]", nil
	case ok && !inside && marked:
		return "[^" + edge + class + "]", nil
	case ok && !inside:
		return "[^" + class + "]", nil
	case strings.IndexByte("tnrfv", c) >= 0, strings.IndexByte(`.-'"+*?()[]{}|/\@#&%!,:;=~^$`, c) >= 0:
		return `\` + string(c), nil
	}
	return "", errPattern(`\` + string(c))
}

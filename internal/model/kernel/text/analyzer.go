// SPDX-License-Identifier: Apache-2.0

package text

import (
	"strings"

	"github.com/serin-dev/serin/internal/model/fitted"
	"github.com/serin-dev/serin/internal/model/graph"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// analyzer makes terms of a text: of words, of characters, or of the characters of
// each word with a space at both ends.
type analyzer struct {
	lowercase   bool
	strip       func(string) string // accents; nil for none
	kind        string              // "word", "char" or "char_wb"
	split       splitter
	stop        map[string]bool
	least, most int // words or characters in a term
}

func newAnalyzer(e *fitted.Estimator) *analyzer {
	a := &analyzer{lowercase: e.Flag("lowercase"), kind: e.Text("word", "analyzer")}
	for _, name := range []string{"preprocessor", "tokenizer"} {
		if v := e.Get(name); v != nil {
			e.Failf("%s %s is not supported", name, pickle.Describe(v))
		}
	}
	if input := e.Text("content", "input"); input != "content" {
		e.Failf("input %s is not supported", pickle.Quote(input))
	}
	switch strip := e.Text("", "strip_accents"); strip {
	case "":
	case "unicode":
		a.strip = stripAccents
	case "ascii":
		a.strip = stripASCII
	default:
		e.Failf("strip_accents %s is not supported", pickle.Quote(strip))
	}
	switch a.kind {
	case "word":
		a.words(e)
	case "char", "char_wb":
	default:
		e.Failf("analyzer %s is not supported", pickle.Quote(a.kind))
	}
	sizes := e.List("ngram_range")
	if len(sizes) != 2 {
		e.Failf("ngram_range is no pair of numbers")
		return a
	}
	least, ok1 := sizes[0].(int64)
	most, ok2 := sizes[1].(int64)
	if !ok1 || !ok2 || least < 1 || most < least || most > maxTerm {
		e.Failf("ngram_range is out of range")
		return a
	}
	a.least, a.most = int(least), int(most)
	if a.kind == "word" && a.most == 1 {
		a.least = 1
	}
	return a
}

const (
	maxTerm = 1 << 16 // words or characters
	word    = "word"
)

// words reads what matters to words only.
func (a *analyzer) words(e *fitted.Estimator) {
	split, err := parsePattern(e.Text(`(?u)\b\w\w+\b`, "token_pattern"))
	if err != nil {
		e.Failf("%s", err)
	}
	a.split = split
	var listed []any
	switch v := e.Get("stop_words").(type) {
	case nil:
		return
	case string:
		if v != "english" {
			e.Failf("stop_words %s is not supported", pickle.Quote(v))
		}
		a.stop = english()
		return
	case *pickle.Set:
		listed = v.Items
	default:
		listed = e.List("stop_words")
	}
	a.stop = map[string]bool{}
	for _, v := range listed {
		text, ok := v.(string)
		if !ok {
			e.Failf("a stop word is %s", pickle.Describe(v))
		}
		if !e.Alloc(stringCost + len(text)) {
			return
		}
		a.stop[text] = true
	}
}

const stringCost = 64 // bytes of a string in a map

// terms is the memory in which an analyzer works.
type terms struct {
	w      *graph.Work
	tokens []string
	joined []byte
	ends   []int32 // of the characters, in bytes
	steps  int
	err    error
}

// tick counts n steps, and reports whether to go on.
func (t *terms) tick(n int) bool {
	const every = 1 << 14
	if t.steps += n + 1; t.steps >= every && t.err == nil {
		t.err = t.w.Steps(t.steps)
		t.steps = 0
	}
	return t.err == nil
}

// each calls yield with each term of a text, which is valid during the call only.
func (a *analyzer) each(t *terms, s string, yield func(term []byte)) error {
	if a.lowercase {
		s = lower(s)
	}
	if a.strip != nil {
		s = a.strip(s)
	}
	t.tick(len(s))
	switch a.kind {
	case word:
		t.tokens = t.tokens[:0]
		a.split(s, func(token string, steps int) bool {
			if !a.stop[token] {
				t.tokens = append(t.tokens, token)
			}
			return t.tick(steps)
		})
		if t.err != nil {
			return t.err
		}
		a.wordTerms(t, yield)
	case "char":
		t.joined = append(t.joined[:0], squeeze(s)...)
		n := t.cut()
		for size := a.least; size <= min(a.most, n); size++ {
			t.slide(size, n, yield)
		}
	default:
		for _, token := range strings.FieldsFunc(s, isSpace) {
			t.joined = append(append(append(t.joined[:0], ' '), token...), ' ')
			a.edgeTerms(t, yield)
		}
	}
	return t.err
}

// wordTerms yields runs of words, with spaces between them.
func (a *analyzer) wordTerms(t *terms, yield func([]byte)) {
	for size := a.least; size <= min(a.most, len(t.tokens)); size++ {
		for i := 0; i+size <= len(t.tokens); i++ {
			t.joined = t.joined[:0]
			for k, token := range t.tokens[i : i+size] {
				if k > 0 {
					t.joined = append(t.joined, ' ')
				}
				t.joined = append(t.joined, token...)
			}
			if !t.tick(len(t.joined)) {
				return
			}
			yield(t.joined)
		}
	}
}

// edgeTerms yields runs of the characters of a word. One that is shorter than a run
// counts once.
func (a *analyzer) edgeTerms(t *terms, yield func([]byte)) {
	n := t.cut()
	for size := a.least; size <= a.most; size++ {
		if size >= n {
			t.slide(n, n, yield)
			return
		}
		t.slide(size, n, yield)
	}
}

// cut finds the characters, and returns their number.
func (t *terms) cut() int {
	t.ends = t.ends[:0]
	for i := range string(t.joined) {
		t.ends = append(t.ends, int32(i))
	}
	n := len(t.ends)
	t.ends = append(t.ends, int32(len(t.joined)))
	return n
}

// slide yields all runs of size of the n characters.
func (t *terms) slide(size, n int, yield func([]byte)) {
	for i := 0; i+size <= n && t.tick(size); i++ {
		yield(t.joined[t.ends[i]:t.ends[i+size]])
	}
}

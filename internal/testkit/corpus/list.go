// SPDX-License-Identifier: Apache-2.0

package corpus

import (
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// list holds the lines of a file: "KIND/NAME [VERSION ...]", with * in each, are
// cases that must be exact. "wrong KIND/NAME [VERSION ...]" are wrong for now.
type list struct {
	file  string
	lines []entry
}

type entry struct {
	text, name string
	versions   []string
	wrong      bool
	met        bool
}

func readList(t *testing.T, file string) *list {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	l := &list{file: file}
	for line := range strings.Lines(string(text)) {
		if e := entryOf(line); e.text != "" && e.text[0] != '#' {
			l.lines = append(l.lines, e)
		}
	}
	return l
}

func entryOf(line string) entry {
	e := entry{text: strings.TrimSpace(line)}
	words := strings.Fields(line)
	if e.wrong = len(words) > 0 && words[0] == "wrong"; e.wrong {
		words = words[1:]
	}
	if len(words) > 0 {
		e.name, e.versions = words[0], words[1:]
	}
	return e
}

func (e *entry) matches(c *Case) bool {
	match := func(pattern, s string) bool { ok, _ := path.Match(pattern, s); return ok }
	return match(e.name, c.Path()) && (len(e.versions) == 0 || slices.ContainsFunc(e.versions, func(v string) bool { return match(v, c.Version) }))
}

// hold fails the test if the list promises another verdict.
func (l *list) hold(t *testing.T, c *Case, v verdict) {
	t.Helper()
	exact, wrong := false, false
	for i := range l.lines {
		e := &l.lines[i]
		if !e.matches(c) {
			continue
		}
		if e.wrong {
			wrong = true
			e.met = e.met || v.word == "wrong"
		} else {
			exact = true
			e.met = true
		}
	}
	if v.word == "wrong" && !wrong || v.word == "refused" && exact {
		t.Errorf("%s of %s (%s): %s: %s", c.Path(), c.Version, c.Class, v.word, v.reason)
	}
}

// stale fails the test for lines without which it would pass.
func (l *list) stale(t *testing.T) {
	t.Helper()
	for _, e := range l.lines {
		if !e.met {
			t.Errorf("%s: no case fits this line, or none is wrong any more: %s", l.file, e.text)
		}
	}
}

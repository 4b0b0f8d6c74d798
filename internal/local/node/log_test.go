// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func newLog(t *testing.T, limit int64) *logFile {
	t.Helper()
	l, err := createLog(filepath.Join(t.TempDir(), "0.log"))
	if err != nil {
		t.Fatal(err)
	}
	l.limit = limit
	return l
}

// read is the wanted part of a log as text.
func read(t *testing.T, l *logFile, o logOptions) string {
	t.Helper()
	var b strings.Builder
	err := l.copyTo(t.Context(), o, func(e logEntry) error {
		b.Write(e.text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var all = logOptions{tail: -1}

func TestLogKeepsBytesAsTheyCame(t *testing.T) {
	for name, text := range map[string]string{
		"lines":           "one\n\n three  \n",
		"an open end":     "one\ntwo",
		"a long line":     strings.Repeat("x", 3*maxLogLine+5) + "\nend\n",
		"exactly a part":  strings.Repeat("y", maxLogLine) + "\nend\n",
		"nothing":         "",
		"a carriage turn": "50%\r100%\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog(t, maxLogFile)
			l.consume("stdout", strings.NewReader(text))
			l.close()
			if diff := cmp.Diff(text, read(t, l, all)); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(text, read(t, closedLog(l.path), all)); diff != "" {
				t.Errorf("read again from the file: %s", diff)
			}
		})
	}
}

func TestLogOptions(t *testing.T) {
	l := newLog(t, maxLogFile)
	l.consume("stdout", strings.NewReader("a\nb\n"))
	l.consume("stderr", strings.NewReader("c\nd\n"))
	l.close()
	for name, c := range map[string]struct {
		o    logOptions
		want string
	}{
		"all":                      {all, "a\nb\nc\nd\n"},
		"the last three":           {logOptions{tail: 3}, "b\nc\nd\n"},
		"more than there is":       {logOptions{tail: 30}, "a\nb\nc\nd\n"},
		"none":                     {logOptions{tail: 0}, ""},
		"one stream":               {logOptions{tail: -1, stream: "stderr"}, "c\nd\n"},
		"the last of one stream":   {logOptions{tail: 1, stream: "stdout"}, "b\n"},
		"since later":              {logOptions{tail: -1, since: time.Now().Add(time.Hour)}, ""},
		"since earlier":            {logOptions{tail: -1, since: time.Now().Add(-time.Hour)}, "a\nb\nc\nd\n"},
		"following a closed log":   {logOptions{tail: -1, follow: true}, "a\nb\nc\nd\n"},
		"following from the end":   {logOptions{tail: 1, follow: true}, "d\n"},
		"following without a past": {logOptions{follow: true}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, read(t, l, c.o)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLogIsBoundedAndKeepsItsEnd(t *testing.T) {
	const limit = 10_000
	l := newLog(t, limit)
	for i := range 1000 {
		l.write("stdout", "F", fmt.Appendf(nil, "line %d\n", i))
	}
	l.close()
	text := read(t, l, all)
	if len(text) > limit || !strings.HasSuffix(text, "line 998\nline 999\n") {
		t.Errorf("%d bytes, ending in %q", len(text), text[len(text)-20:])
	}
	if diff := cmp.Diff("line 999\n", read(t, closedLog(l.path), logOptions{tail: 1})); diff != "" {
		t.Error(diff)
	}
}

func TestFollowSeesEveryLineAcrossTurns(t *testing.T) {
	l := newLog(t, 2000)
	var b strings.Builder
	seen, done := make(chan int), make(chan error)
	go func() {
		n := 0
		done <- l.copyTo(context.WithoutCancel(t.Context()), logOptions{tail: -1, follow: true}, func(e logEntry) error {
			b.Write(e.text)
			n++
			seen <- n
			return nil
		})
	}()
	var want strings.Builder
	for i := range 200 { // each is read before the next is written, so that none is turned away
		fmt.Fprintf(&want, "line %d\n", i)
		l.write("stdout", "F", fmt.Appendf(nil, "line %d\n", i))
		<-seen
	}
	if l.state().turns < 3 {
		t.Errorf("only %d turns", l.state().turns)
	}
	l.close()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want.String(), b.String()); diff != "" {
		t.Error(diff)
	}
}

func TestTerminationMessageIsTheEndOfTheLog(t *testing.T) {
	l := newLog(t, maxLogFile)
	for i := range 500 {
		l.write("stderr", "F", fmt.Appendf(nil, "line %d\n", i))
	}
	l.close()
	words := l.lastWords()
	if n := strings.Count(words, "\n"); n != 80 || !strings.HasSuffix(words, "line 499\n") {
		t.Errorf("%d lines, ending in %q", n, words[len(words)-10:])
	}
}

func TestLogQueriesOfTheAPIServer(t *testing.T) {
	for query, want := range map[string]struct {
		o        logOptions
		limit    int64
		previous bool
		err      string
	}{
		"":                                  {all, -1, false, ""},
		"follow=true&tailLines=5":           {logOptions{follow: true, tail: 5}, -1, false, ""},
		"previous=true&limitBytes=9":        {all, 9, true, ""},
		"sinceSeconds=60&timestamps=true":   {logOptions{tail: -1, since: now.Add(-time.Minute), timestamps: true}, -1, false, ""},
		"sinceTime=2026-01-02T03:00:00Z":    {logOptions{tail: -1, since: now.Add(-4*time.Minute - 5*time.Second)}, -1, false, ""},
		"stream=Stderr":                     {logOptions{tail: -1, stream: "stderr"}, -1, false, ""},
		"tailLines=many":                    {err: `tailLines: "many" is not a count`},
		"stream=Both":                       {err: `stream: "Both" is neither All, Stdout nor Stderr`},
		"limitBytes=-3&tailLines=2":         {err: `limitBytes: "-3" is not a count`},
		"sinceTime=yesterday&sinceSeconds=": {err: `sinceTime: parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"`},
	} {
		t.Run(query, func(t *testing.T) {
			values, err := url.ParseQuery(query)
			if err != nil {
				t.Fatal(err)
			}
			o, limit, previous, err := parseLogQuery(values, now)
			if msg := errorText(err); msg != want.err {
				t.Fatalf("error %q, want %q", msg, want.err)
			}
			if err != nil {
				return
			}
			if diff := cmp.Diff(want.o, o, cmp.AllowUnexported(logOptions{})); diff != "" {
				t.Error(diff)
			}
			if limit != want.limit || previous != want.previous {
				t.Errorf("limit %d, previous %v", limit, previous)
			}
		})
	}
}

func TestLogsAreFollowedToTheEndOfTheContainer(t *testing.T) {
	c := startCluster(t)
	c.create(t, `
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 5
  containers: [{name: main, args: ["out:up", "wait:going down"]}]
`)
	c.logs(t, "web/main", "up\n") // from here on it takes SIGTERM
	body := c.stream(t, "/containerLogs/default/web/main?follow=true&timestamps=true")
	c.remove(t, "web", 5)
	data, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for l := range strings.Lines(string(data)) {
		at, rest, _ := strings.Cut(l, " ")
		if _, err := time.Parse(time.RFC3339Nano, at); err != nil {
			t.Errorf("line %q: %v", l, err)
		}
		lines = append(lines, rest)
	}
	if diff := cmp.Diff([]string{"up\n", "going down\n"}, lines); diff != "" {
		t.Error(diff)
	}
}

func TestLogsThatDoNotExist(t *testing.T) {
	c := startCluster(t)
	c.create(t, `
spec: {containers: [{name: main, image: nope}]}
`)
	c.pod(t, "web", "refused", waitsFor(reasonImage))
	for path, want := range map[string]string{
		"default/web/main":               "400 container \"main\" in pod \"web\" is waiting to start: ErrImageNeverPull\n",
		"default/web/main?previous=true": "400 previous terminated container \"main\" in pod \"web\" not found\n",
		"default/web/other":              "400 the Pod has no container \"other\"\n",
		"default/wob/main":               "404 this node has no pod \"wob\"\n",
	} {
		code, body := c.get(t, "/containerLogs/"+path)
		if got := fmt.Sprint(code, " ", body); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}

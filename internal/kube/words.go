// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// lastWords reads what etcd writes, and keeps why it ended.
type lastWords struct {
	log    *slog.Logger
	rest   []byte // a line that has not ended
	words  string
	weight int
	full   bool // there is no space left
	few    bool // there are no descriptors left
	locked bool // another etcd has the data
}

// maxLine bounds a line of etcd's. Whole requests may stand in one.
const maxLine = 64 << 10

// Write takes lines.
func (l *lastWords) Write(b []byte) (int, error) {
	l.rest = append(l.rest, b...)
	for {
		line, rest, ok := bytes.Cut(l.rest, []byte{'\n'})
		if !ok && len(l.rest) < maxLine {
			return len(b), nil
		}
		l.rest = rest
		l.read(string(line))
	}
}

func (l *lastWords) read(line string) {
	l.log.Info("etcd", "said", line)
	l.full = l.full || strings.Contains(line, syscall.ENOSPC.Error()) || strings.Contains(line, syscall.EDQUOT.Error())
	l.few = l.few || strings.Contains(line, syscall.EMFILE.Error()) || strings.Contains(line, syscall.ENFILE.Error())
	l.locked = l.locked || strings.Contains(line, "file already locked")
	l.note(weigh(line))
}

// note keeps the weightiest words: of those that end a process the first, as
// others are about the same, and of those that end none the last.
func (l *lastWords) note(weight int, words string) {
	if l.words == "" || weight > l.weight || weight == l.weight && weight <= complains {
		l.weight, l.words = weight, words
	}
}

// How much words tell of an end.
const (
	chats     = iota
	complains // and goes on
	exits     // how the process ended, for want of words
	crashes
	gives // up
	explains
)

// weigh tells last words from others: those of our program, of etcd's logger,
// and of Go's runtime, in that order.
func weigh(line string) (weight int, words string) {
	if said, ok := strings.CutPrefix(line, "serin-etcd: "); ok {
		return explains, said
	}
	for _, sign := range []string{"panic: ", "fatal error: ", "unexpected fault address"} {
		if strings.HasPrefix(line, sign) {
			return crashes, line
		}
	}
	var log struct{ Level, Msg, Error string }
	if json.Unmarshal([]byte(line), &log) != nil {
		return chats, line
	}
	if log.Error != "" {
		log.Msg += ": " + log.Error
	}
	switch log.Level {
	case "fatal", "panic", "dpanic":
		return gives, log.Msg
	case "error":
		return complains, log.Msg
	}
	return chats, log.Msg
}

// interrupted says why etcd ended that ran, and what to do.
func (p *etcdProgram) interrupted(end *lastWords) string {
	const goesOn = "models go on answering, but the Kubernetes API takes no changes. It is tried again every few seconds"
	switch {
	case end.full:
		return fmt.Sprintf("the disk of %s is full: %s; free some space", p.Dir, goesOn)
	case end.few:
		return fmt.Sprintf("etcd has no file descriptors left: %s; raise the limit (ulimit -n) and start serin again", goesOn)
	}
	return fmt.Sprintf("etcd ended (%s): %s; %s", end.words, goesOn, p.wayOut())
}

// cannotStart says why etcd does not start, and what to do.
func (p *etcdProgram) cannotStart(end *lastWords) error {
	switch {
	case end.full:
		return fmt.Errorf("the disk of %s is full: free some space and start serin again", p.Dir)
	case end.few:
		return fmt.Errorf("%s: raise the limit of file descriptors (ulimit -n)", end.words)
	}
	if end.locked {
		return fmt.Errorf("another etcd has the data in %s: end it, or wait until it has ended", p.Dir)
	}
	return fmt.Errorf("%s: %s", end.words, p.wayOut())
}

// wayOut is what to do about data that is damaged.
func (p *etcdProgram) wayOut() string {
	data, backup := filepath.Join(p.Dir, "etcd"), filepath.Join(p.Dir, "etcd.backup")
	if info, err := os.Stat(backup); err == nil {
		return fmt.Sprintf("if the data in %s is damaged, 'serin up --restore' goes back to the copy of %s, and keeps what is there", data, info.ModTime().Format(time.DateTime))
	}
	return fmt.Sprintf("if the data in %s is damaged, move that folder away to begin without services: there is no copy yet", data)
}

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

// exitReason reads etcd's standard error and keeps the line that best explains
// why it ended.
type exitReason struct {
	log    *slog.Logger
	rest   []byte // a line that is not complete
	reason string
	rank   int
	full   bool // the disk is full
	few    bool // there are no file descriptors left
	locked bool // another etcd has locked the data
}

// maxLine bounds a line, in bytes: etcd logs whole requests.
const maxLine = 64 << 10

// Write reads complete lines, and keeps the rest for the next call.
func (l *exitReason) Write(b []byte) (int, error) {
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

func (l *exitReason) read(line string) {
	l.log.Info("etcd", "said", line)
	l.full = l.full || strings.Contains(line, syscall.ENOSPC.Error()) || strings.Contains(line, syscall.EDQUOT.Error())
	l.few = l.few || strings.Contains(line, syscall.EMFILE.Error()) || strings.Contains(line, syscall.ENFILE.Error())
	l.locked = l.locked || strings.Contains(line, "file already locked")
	l.keep(rankOf(line))
}

// keep keeps the reason of the highest rank: the last one of lines that etcd
// survives, and the first one of those that end it, because later ones follow
// from it.
func (l *exitReason) keep(rank int, reason string) {
	if l.reason == "" || rank > l.rank || rank == l.rank && rank <= loggedError {
		l.rank, l.reason = rank, reason
	}
}

// Ranks of reasons, the best explanation last.
const (
	anyLine     = iota
	loggedError // etcd goes on after it
	exitStatus
	goPanic
	loggedFatal
	ownMessage // of serin-etcd
)

// rankOf parses a line of serin-etcd, of etcd's logger or of Go's runtime.
func rankOf(line string) (rank int, reason string) {
	if said, ok := strings.CutPrefix(line, "serin-etcd: "); ok {
		return ownMessage, said
	}
	for _, sign := range []string{"panic: ", "fatal error: ", "unexpected fault address"} {
		if strings.HasPrefix(line, sign) {
			return goPanic, line
		}
	}
	var log struct{ Level, Msg, Error string }
	if json.Unmarshal([]byte(line), &log) != nil {
		return anyLine, line
	}
	if log.Error != "" {
		log.Msg += ": " + log.Error
	}
	switch log.Level {
	case "fatal", "panic", "dpanic":
		return loggedFatal, log.Msg
	case "error":
		return loggedError, log.Msg
	}
	return anyLine, log.Msg
}

// interrupted returns why a running etcd ended, and what to do.
func (p *etcdProgram) interrupted(end *exitReason) string {
	const goesOn = "models go on answering, but the Kubernetes API takes no changes. It is tried again every few seconds"
	switch {
	case end.full:
		return fmt.Sprintf("the disk of %s is full: %s; free some space", p.Dir, goesOn)
	case end.few:
		return fmt.Sprintf("etcd has no file descriptors left: %s; raise the limit (ulimit -n) and start serin again", goesOn)
	}
	return fmt.Sprintf("etcd ended (%s): %s; %s", end.reason, goesOn, p.wayOut())
}

// cannotStart returns why etcd does not start, and what to do.
func (p *etcdProgram) cannotStart(end *exitReason) error {
	switch {
	case end.full:
		return fmt.Errorf("the disk of %s is full: free some space and start serin again", p.Dir)
	case end.few:
		return fmt.Errorf("%s: raise the limit of file descriptors (ulimit -n)", end.reason)
	}
	if end.locked {
		return fmt.Errorf("another etcd has the data in %s: end it, or wait until it has ended", p.Dir)
	}
	return fmt.Errorf("%s: %s", end.reason, p.wayOut())
}

// wayOut returns what to do about damaged data.
func (p *etcdProgram) wayOut() string {
	data, backup := filepath.Join(p.Dir, "etcd"), filepath.Join(p.Dir, "etcd.backup")
	if info, err := os.Stat(backup); err == nil {
		return fmt.Sprintf("if the data in %s is damaged, 'serin up --restore' goes back to the copy of %s, and keeps what is there", data, info.ModTime().Format(time.DateTime))
	}
	return fmt.Sprintf("if the data in %s is damaged, move that folder away to begin without services: there is no copy yet", data)
}

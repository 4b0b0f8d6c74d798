// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"time"
)

const (
	// maxLogFile bounds a log file; a full one is kept as the older half until the next is full.
	maxLogFile = 10 << 20
	// maxLogLine bounds one stored line; a longer one is stored in parts.
	maxLogLine = 16 << 10
)

// logFile is what one process of a container writes, stored in lines as container runtimes do:
//
//	2026-01-02T15:04:05.000000006Z stdout F the text
//
// with P instead of F when the line goes on in the next one of that stream.
type logFile struct {
	path  string
	limit int64

	mu      sync.Mutex
	file    *os.File // nil once closed
	size    int64
	ranOut  bool          // a line says that the process ran out of memory
	inUse   bool          // a line says that an address is in use
	turns   int           // how often the file was begun anew
	changed chan struct{} // closed by the next change; nil while no reader waits
}

// createLog begins the log of a new process.
func createLog(path string) (*logFile, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &logFile{path: path, limit: maxLogFile, file: f}, nil
}

// closedLog is the log of a process that ended, perhaps under an earlier node.
func closedLog(path string) *logFile {
	l := &logFile{path: path}
	if _, err := os.Stat(l.older()); err == nil {
		l.turns = 1
	}
	return l
}

// older is where the half before the current file is kept.
func (l *logFile) older() string { return l.path + ".1" }

// consume stores the lines of r until it ends.
func (l *logFile) consume(stream string, r io.Reader) {
	in := bufio.NewReaderSize(r, maxLogLine)
	for {
		text, err := in.ReadSlice('\n')
		switch {
		case err == nil:
			l.write(stream, "F", text)
		case len(text) > 0:
			l.write(stream, "P", append(slices.Clip(text), '\n'))
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return
		}
	}
}

// write stores one line. It drops a line that cannot be stored (a full disk), so that the log never
// blocks the process that writes it.
func (l *logFile) write(stream, tag string, text []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return
	}
	l.ranOut = l.ranOut || anyOf(noMemory, text)
	l.inUse = l.inUse || anyOf(addressInUse, text)
	line := fmt.Appendf(nil, "%s %s %s %s", time.Now().UTC().Format(logTime), stream, tag, text)
	if l.size > 0 && l.size+int64(len(line)) > l.limit {
		l.turn()
	}
	n, _ := l.file.Write(line)
	l.size += int64(n)
	l.wake()
}

// Messages of Go, C, C++, Python, Java and Node programs that ran out of memory, or of ports.
var (
	noMemory     = [][]byte{[]byte("out of memory"), []byte("annot allocate memory"), []byte("bad_alloc"), []byte("MemoryError")}
	addressInUse = [][]byte{[]byte("ddress already in use"), []byte("EADDRINUSE")}
)

func anyOf(messages [][]byte, line []byte) bool {
	return slices.ContainsFunc(messages, func(words []byte) bool { return bytes.Contains(line, words) })
}

// turn begins the file anew.
func (l *logFile) turn() {
	if err := os.Rename(l.path, l.older()); err != nil {
		return
	}
	f, err := os.OpenFile(l.path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	_ = l.file.Close()
	l.file, l.size = f, 0
	l.turns++
}

// close ends the log and wakes its followers.
func (l *logFile) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file != nil {
		_ = l.file.Close()
		l.file = nil
		l.wake()
	}
}

func (l *logFile) wake() {
	if l.changed != nil {
		close(l.changed)
		l.changed = nil
	}
}

// logState is a snapshot of a logFile.
type logState struct {
	turns   int
	closed  bool
	changed <-chan struct{}
}

func (l *logFile) state() logState {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.changed == nil {
		l.changed = make(chan struct{})
	}
	return logState{turns: l.turns, closed: l.file == nil, changed: l.changed}
}

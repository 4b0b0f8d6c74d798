// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"time"
)

// logTime is time.RFC3339Nano with all digits, so that stored lines align.
const logTime = "2006-01-02T15:04:05.000000000Z07:00"

// logOptions selects a part of a log. The zero value selects all lines that exist now.
type logOptions struct {
	follow     bool
	tail       int // lines from the end; negative is all of them
	since      time.Time
	timestamps bool
	stream     string // stdout or stderr; empty is both
	caughtUp   func() // unless nil, called once when all that was there is written
}

// logEntry is one stored line.
type logEntry struct {
	at     time.Time
	stream string
	text   []byte // with its newline, unless the line goes on
}

// parseEntry parses a stored line; ok is false if it is malformed.
func parseEntry(line []byte) (e logEntry, ok bool) {
	fields := bytes.SplitN(line, []byte(" "), 4)
	if len(fields) != 4 {
		return e, false
	}
	at, err := time.Parse(time.RFC3339Nano, string(fields[0]))
	if err != nil {
		return e, false
	}
	text := fields[3]
	if string(fields[2]) == "P" {
		text = bytes.TrimSuffix(text, []byte("\n"))
	}
	return logEntry{at, string(fields[1]), text}, true
}

// copyTo writes the wanted part of the log to emit, and with follow goes on until the log is
// closed or ctx ends.
func (l *logFile) copyTo(ctx context.Context, o logOptions, emit func(logEntry) error) error {
	r := &logReader{log: l}
	defer r.close()
	var ring []logEntry
	collect := o.tail >= 0
	handle := func(e logEntry) error {
		switch {
		case e.at.Before(o.since), o.stream != "" && o.stream != e.stream:
			return nil
		case !collect:
			return emit(e)
		case o.tail == 0:
			return nil
		case len(ring) == o.tail:
			ring = ring[1:]
		}
		ring = append(ring, e)
		return nil
	}
	for {
		st := l.state()
		if err := r.drain(st, handle); err != nil {
			return err
		}
		for _, e := range ring {
			if err := emit(e); err != nil {
				return err
			}
		}
		ring, collect = nil, false
		if o.caughtUp != nil {
			o.caughtUp()
			o.caughtUp = nil
		}
		if !o.follow || st.closed {
			return nil
		}
		select {
		case <-ctx.Done():
			return nil
		case <-st.changed:
		}
	}
}

// logReader reads the entries of a log across its turns.
type logReader struct {
	log  *logFile
	file *os.File
	in   *bufio.Reader
	turn int
	part []byte // a line whose end was not written yet
}

// drain emits all entries that were written before the snapshot st.
func (r *logReader) drain(st logState, handle func(logEntry) error) error {
	if r.file == nil {
		if r.turn = st.turns; st.turns > 0 {
			r.turn--
		}
		if err := r.open(st); err != nil {
			return err
		}
	}
	for {
		if err := r.lines(handle); err != nil || r.turn >= st.turns {
			return err
		}
		// The open file was complete before st was taken, so the next may begin.
		r.close()
		r.turn = st.turns
		if err := r.open(st); err != nil {
			return err
		}
	}
}

func (r *logReader) open(st logState) (err error) {
	path := r.log.path
	if r.turn < st.turns {
		path = r.log.older()
	}
	if r.file, err = os.Open(path); err != nil {
		return err
	}
	r.in, r.part = bufio.NewReaderSize(r.file, 64<<10), nil
	return nil
}

func (r *logReader) close() {
	if r.file != nil {
		_ = r.file.Close()
		r.file = nil
	}
}

func (r *logReader) lines(handle func(logEntry) error) error {
	for {
		line, err := r.in.ReadBytes('\n')
		r.part = append(r.part, line...)
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if e, ok := parseEntry(r.part); ok {
			if err := handle(e); err != nil {
				return err
			}
		}
		r.part = nil
	}
}

// lastWords is the end of a log as a termination message: at most 80 lines and 2 KiB.
func (l *logFile) lastWords() string {
	var b strings.Builder
	_ = l.copyTo(context.Background(), logOptions{tail: 80}, func(e logEntry) error {
		b.Write(e.text)
		return nil
	})
	text := b.String()
	return text[max(0, len(text)-2048):]
}

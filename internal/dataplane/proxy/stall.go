// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// stallWriter writes to a client, and fails when the client reads too slowly.
// The kernel buffers megabytes for a slow client and then accepts nothing for a
// long time, so the bytes that count are those that the client acknowledged.
type stallWriter struct {
	net.Conn
	raw        io.Writer // the same connection
	checkEvery time.Duration
	pace       pace
	until      time.Time // the current write deadline
}

var errUnread = errors.New("the client read the response too slowly")

func newStallWriter(nc net.Conn, raw io.Writer, l *Limits) *stallWriter {
	return &stallWriter{Conn: nc, raw: raw, checkEvery: l.Send / 4, pace: newPace(l.ResponseRate, l.Send)}
}

func (w *stallWriter) Write(b []byte) (int, error) {
	if w.checkEvery == 0 {
		return w.raw.Write(b)
	}
	now := time.Now()
	if w.until.Sub(now) < w.checkEvery/2 { // saves the system call for most writes
		if err := w.setDeadline(now); err != nil {
			return 0, err
		}
	}
	n, err := w.raw.Write(b)
	w.pace.earn(int64(n))
	if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	more, err := w.resume(b[n:], now)
	return n + more, err
}

// resume continues a write that has waited since the given time.
func (w *stallWriter) resume(b []byte, since time.Time) (int, error) {
	total, queued := 0, unsent(w.Conn)
	for {
		now := time.Now()
		if !w.pace.spend(now.Sub(since)) {
			return total, errUnread
		}
		since = now
		if err := w.setDeadline(now); err != nil {
			return total, err
		}
		n, err := w.raw.Write(b[total:])
		total += n
		left := unsent(w.Conn)
		w.pace.earn(int64(n + queued - left))
		queued = left
		if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
			return total, err
		}
	}
}

func (w *stallWriter) setDeadline(now time.Time) error {
	w.until = now.Add(w.checkEvery)
	return w.SetWriteDeadline(w.until)
}

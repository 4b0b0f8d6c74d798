// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// stallWriter writes to a client, and gives it up when it reads too slowly. The
// kernel takes megabytes for a client, and then nothing for as long as a slow
// one reads of them; so what counts is what left the kernel.
type stallWriter struct {
	net.Conn
	raw   io.Writer // to the same
	look  time.Duration
	pace  pace
	until time.Time // write deadline that is set
}

var errUnread = errors.New("the client read the response too slowly")

func newStallWriter(nc net.Conn, raw io.Writer, l *Limits) *stallWriter {
	return &stallWriter{Conn: nc, raw: raw, look: l.Send / 4, pace: newPace(l.ResponseRate, l.Send)}
}

func (w *stallWriter) Write(b []byte) (int, error) {
	if w.look == 0 {
		return w.raw.Write(b)
	}
	now := time.Now()
	if w.until.Sub(now) < w.look/2 { // spares most writes the call
		if err := w.setDeadline(now); err != nil {
			return 0, err
		}
	}
	n, err := w.raw.Write(b)
	w.pace.earn(int64(n))
	if err == nil || !errors.Is(err, os.ErrDeadlineExceeded) {
		return n, err
	}
	more, err := w.slowly(b[n:], now)
	return n + more, err
}

// slowly goes on with a write that has waited since a time.
func (w *stallWriter) slowly(b []byte, since time.Time) (int, error) {
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
	w.until = now.Add(w.look)
	return w.SetWriteDeadline(w.until)
}

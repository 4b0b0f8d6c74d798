// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// tunnel joins the two connections after an upgrade until both sides end, or
// nothing moves for too long.
func (x *exchange) tunnel() {
	x.until = time.Time{}
	_ = x.bw.Flush() // failures of these show in the copies
	_ = x.nc.SetWriteDeadline(time.Time{})
	stop := context.AfterFunc(x.server.base, func() { _ = x.up.Close() })
	defer stop()
	t := tunnel{idle: x.server.Limits.StreamIdle}
	t.touch(time.Now())
	back := make(chan struct{})
	go func() {
		defer close(back)
		t.pour(x.up.Conn, x.br, x.nc)
	}()
	x.r.Sent = t.pour(x.nc, x.up.br, x.up.Conn)
	<-back
	_ = x.up.Close() // both directions ended
}

// tunnel is two connections, joined.
type tunnel struct {
	idle time.Duration
	last atomic.Int64 // when something moved in either direction
}

func (t *tunnel) touch(now time.Time) { t.last.Store(now.UnixNano()) }

// pour moves everything that br reads from src, and closes the writing side of
// dst. After an error nothing flows in the other direction either.
func (t *tunnel) pour(dst net.Conn, br *bufio.Reader, src net.Conn) int64 {
	var total int64
	var err error
	for err == nil {
		if err = t.await(br, src); err == nil {
			b, _ := br.Peek(br.Buffered()) // buffered, so it cannot fail
			_, err = dst.Write(b)
			total += int64(len(b))
			_, _ = br.Discard(len(b)) // the same
			t.touch(time.Now())
		}
	}
	if half, ok := dst.(interface{ CloseWrite() error }); ok && errors.Is(err, io.EOF) && half.CloseWrite() == nil {
		return total
	}
	_ = dst.Close() // both are of no use any more
	_ = src.Close()
	return total
}

// await waits until something can be read from src, as long as anything moves.
func (t *tunnel) await(br *bufio.Reader, src net.Conn) error {
	for {
		if err := src.SetReadDeadline(after(time.Unix(0, t.last.Load()), t.idle)); err != nil {
			return err
		}
		_, err := br.Peek(1)
		now := time.Now()
		if err == nil {
			t.touch(now)
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) || now.UnixNano()-t.last.Load() >= int64(t.idle) {
			return err
		}
	}
}

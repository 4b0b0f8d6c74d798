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

// tunnel copies both directions after an upgrade until both sides close, or no
// byte arrives for StreamIdle.
func (x *exchange) tunnel() {
	x.until = time.Time{}
	_ = x.bw.Flush() // the copies report an error of these two
	_ = x.nc.SetWriteDeadline(time.Time{})
	stop := context.AfterFunc(x.server.base, func() { _ = x.up.Close() })
	defer stop()
	t := tunnel{idle: x.server.Limits.StreamIdle}
	t.touch(time.Now())
	back := make(chan struct{})
	go func() {
		defer close(back)
		t.copyHalf(x.up.Conn, x.br, x.nc)
	}()
	x.r.Sent = t.copyHalf(x.nc, x.up.br, x.up.Conn)
	<-back
	_ = x.up.Close() // both directions are closed
}

// tunnel is the state that the two directions share.
type tunnel struct {
	idle time.Duration
	last atomic.Int64 // when the last byte arrived, in Unix nanoseconds
}

func (t *tunnel) touch(now time.Time) { t.last.Store(now.UnixNano()) }

// copyHalf copies one direction, from src through br to dst, and then closes the
// writing side of dst. After an error it closes both connections.
func (t *tunnel) copyHalf(dst net.Conn, br *bufio.Reader, src net.Conn) int64 {
	var total int64
	var err error
	for err == nil {
		if err = t.await(br, src); err == nil {
			b, _ := br.Peek(br.Buffered()) // buffered, so it cannot fail
			_, err = dst.Write(b)
			total += int64(len(b))
			_, _ = br.Discard(len(b)) // as above
			t.touch(time.Now())
		}
	}
	if half, ok := dst.(interface{ CloseWrite() error }); ok && errors.Is(err, io.EOF) && half.CloseWrite() == nil {
		return total
	}
	_ = dst.Close() // this ends the other direction, too
	_ = src.Close()
	return total
}

// await waits until br has input from src. It fails when no byte arrived in either
// direction for the idle time.
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

// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// firstBody is a request's body whose first part was read before its request had
// a target.
type firstBody struct {
	stream  *stream
	body    io.ReadCloser
	trailer http.Header     // complete at the end of the body
	buf     []byte          // read from body, and not yet by Read
	err     error           // after buf
	pending chan readResult // a read in progress, or nil
}

// readResult is the result of a read.
type readResult struct {
	b   []byte
	err error
}

// readFirst reads the body until it is complete, fills a buffer, or holds the first
// message of a gRPC call. It reads a large body, or one of unknown length, no
// longer than firstPartWait. An error is the answer.
func (s *stream) readFirst(ctx context.Context, req *http.Request) error {
	f := &firstBody{stream: s, body: req.Body, trailer: req.Trailer}
	req.Body = f
	unsure := make(<-chan time.Time)
	if req.ContentLength < 0 || req.ContentLength > bufferSize {
		t := time.NewTimer(s.limits.firstPartWait())
		defer t.Stop()
		unsure = t.C
	}
	for f.err == nil && len(f.buf) < bufferSize && !s.firstMessageRead() {
		f.startRead()
		select {
		case p := <-f.pending:
			f.take(p)
		case <-unsure:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if f.err != nil && !errors.Is(f.err, io.EOF) {
		return refusef(http.StatusBadRequest, "the request's body ended early")
	}
	return nil
}

// firstMessageRead reports whether the first message of a gRPC call arrived.
func (s *stream) firstMessageRead() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grpc && s.frames.seen
}

// startRead starts a read whose result arrives on f.pending.
func (f *firstBody) startRead() {
	if f.pending != nil {
		return
	}
	size := 1 << 10 // enough for most bodies
	if len(f.buf) > 0 {
		size = bufferSize / 4
	}
	pending := make(chan readResult, 1)
	f.pending = pending
	go func() {
		b := make([]byte, size)
		n, err := f.stream.read(f.body, b)
		pending <- readResult{b[:n], err}
	}()
}

func (f *firstBody) take(p readResult) {
	f.pending = nil
	if f.buf == nil {
		f.buf = p.b
	} else {
		f.buf = append(f.buf, p.b...)
	}
	f.err = p.err
	f.dropTrailers()
}

// dropTrailers drops forbidden trailers, which are complete at the body's end.
func (f *firstBody) dropTrailers() {
	if errors.Is(f.err, io.EOF) {
		cleanTrailer(f.trailer)
	}
}

func (f *firstBody) Read(b []byte) (int, error) {
	if len(f.buf) == 0 && f.pending != nil {
		f.take(<-f.pending)
	}
	if len(f.buf) > 0 {
		n := copy(b, f.buf)
		f.buf = f.buf[n:]
		return n, nil
	}
	if f.err != nil {
		return 0, f.err
	}
	n, err := f.stream.read(f.body, b)
	f.err = err
	f.dropTrailers()
	return n, err
}

func (f *firstBody) Close() error { return f.body.Close() }

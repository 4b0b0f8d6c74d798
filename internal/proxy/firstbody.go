// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"
)

// firstBody is a request's body of which the first part was read before.
type firstBody struct {
	stream  *stream
	body    io.ReadCloser
	trailer http.Header // which comes with the body's end
	buf     []byte      // read, and not asked for yet
	err     error       // after it
	pending chan piece  // a read that goes on, or nil
}

// piece is what came of a read.
type piece struct {
	b   []byte
	err error
}

// readFirst reads the body until it is whole or fills a buffer; a large one, or
// one of unknown length, no longer than its client cannot be waiting for a
// response. A gRPC call has all it needs with its first message. An error is
// the answer.
func (s *stream) readFirst(ctx context.Context, req *http.Request) error {
	f := &firstBody{stream: s, body: req.Body, trailer: req.Trailer}
	req.Body = f
	unsure := make(<-chan time.Time)
	if req.ContentLength < 0 || req.ContentLength > bufferSize {
		t := time.NewTimer(s.limits.unsure())
		defer t.Stop()
		unsure = t.C
	}
	for f.err == nil && len(f.buf) < bufferSize && !s.called() {
		f.ask()
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

// called reports whether the first message of a gRPC call came.
func (s *stream) called() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grpc && s.frames.seen
}

// ask begins a read whose end can be waited for.
func (f *firstBody) ask() {
	if f.pending != nil {
		return
	}
	size := 1 << 10 // is enough for most
	if len(f.buf) > 0 {
		size = bufferSize / 4
	}
	pending := make(chan piece, 1)
	f.pending = pending
	go func() {
		b := make([]byte, size)
		n, err := f.stream.read(f.body, b)
		pending <- piece{b[:n], err}
	}()
}

func (f *firstBody) take(p piece) {
	f.pending = nil
	if f.buf == nil {
		f.buf = p.b
	} else {
		f.buf = append(f.buf, p.b...)
	}
	f.err = p.err
	f.ended()
}

// ended drops the trailers that must not pass. They come with the end.
func (f *firstBody) ended() {
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
	f.ended()
	return n, err
}

func (f *firstBody) Close() error { return f.body.Close() }

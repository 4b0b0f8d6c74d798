// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/valyala/fasthttp"
)

// What a body takes, with the frame and the answer that it makes, for each of its bytes.
const (
	perByte       = 3
	perZippedByte = 8 * perByte
	// pollBytes is how often the reader of a body notes what its values take.
	pollBytes = 1 << 16
)

// body reads the body of a request into b.body, without its Content-Encoding.
func (s *Server) body(ctx *fasthttp.RequestCtx, b *batch) error {
	err := s.receiveBody(ctx, b)
	if err != nil {
		discard(ctx)
	}
	return err
}

func (s *Server) receiveBody(ctx *fasthttp.RequestCtx, b *batch) error {
	zipped, err := encoding(&ctx.Request.Header)
	if err != nil {
		return err
	}
	length := ctx.Request.Header.ContentLength() // negative if it is not known
	if int64(length) > s.most {
		return s.tooLarge()
	}
	stream := ctx.RequestBodyStream()
	if stream == nil { // of a test
		stream = bytes.NewReader(ctx.Request.Body())
		length = len(ctx.Request.Body())
	}
	if err := b.share.reserve(expected(int64(length), zipped)); err != nil {
		return err
	}
	b.body = b.body[:0]
	if zipped {
		return b.gunzip(stream, s.most)
	}
	if length < 0 {
		return unreadable(b.readAll(stream, s.most))
	}
	return unreadable(b.readFull(stream, length))
}

// readFull reads a body of a length.
func (b *batch) readFull(r io.Reader, length int) error {
	if err := b.grow(length); err != nil {
		return err
	}
	b.body = b.body[:length]
	_, err := io.ReadFull(r, b.body)
	return err
}

// grow makes room for n more bytes of a body.
func (b *batch) grow(n int) error {
	if err := b.share.atLeast(b.footprint() + int64(n)); err != nil {
		return err
	}
	b.body = slices.Grow(b.body, n)
	return nil
}

// discard reads what a client still sends of a body that is refused. Closing the
// connection earlier would reset it, and the client would not see the answer.
func discard(ctx *fasthttp.RequestCtx) {
	const (
		most    = 256 << 20
		silence = 100 * time.Millisecond
	)
	stream, buf := ctx.RequestBodyStream(), make([]byte, 64<<10)
	for n := 0; stream != nil && n < most; {
		if ctx.Conn().SetReadDeadline(time.Now().Add(silence)) != nil {
			return
		}
		k, err := stream.Read(buf)
		if err != nil {
			return
		}
		n += k
	}
}

// encoding reports whether a body is compressed.
func encoding(h *fasthttp.RequestHeader) (zipped bool, err error) {
	switch string(bytes.ToLower(bytes.TrimSpace(bytes.Join(h.PeekAll("Content-Encoding"), []byte{','})))) {
	case "", "identity":
		return false, nil
	case "gzip", "x-gzip":
		return true, nil
	}
	return false, refusalf(http.StatusUnsupportedMediaType, "The request body's Content-Encoding is not supported: send gzip, or none.")
}

// expected returns what a request will probably take.
func expected(length int64, zipped bool) int64 {
	switch {
	case length < 0:
		return smallRequest
	case zipped:
		return perZippedByte * length
	}
	return perByte * length
}

// gunzip reads a compressed body of at most so many bytes.
func (b *batch) gunzip(r io.Reader, most int64) error {
	err := b.unzip(r)
	if err == nil {
		err = b.readAll(b.zip, most)
	}
	_, refused := errors.AsType[*refusal](err)
	_, network := errors.AsType[net.Error](err)
	switch {
	case network:
		return unreadable(err)
	case err == nil || refused:
		return err
	}
	return refusalf(http.StatusBadRequest, "The request body is not gzip, as its encoding says.")
}

// unzip reads the header of gzip, and keeps the reader for other requests.
func (b *batch) unzip(r io.Reader) (err error) {
	if b.zip != nil {
		return b.zip.Reset(r)
	}
	b.zip, err = gzip.NewReader(r)
	return err
}

// readAll reads a body of unknown length.
func (b *batch) readAll(r io.Reader, most int64) error {
	for {
		if len(b.body) == cap(b.body) {
			if err := b.grow(max(len(b.body), 4096) / 2); err != nil {
				return err
			}
		}
		n, err := r.Read(b.body[len(b.body):cap(b.body)])
		b.body = b.body[:len(b.body)+n]
		switch {
		case int64(len(b.body)) > most:
			return bodyTooLarge(most)
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

// unreadable returns the refusal of a request that did not arrive. It does not contain
// the error, which may quote headers, and so possibly secrets.
func unreadable(err error) error {
	late, ok := errors.AsType[net.Error](err)
	_, refused := errors.AsType[*refusal](err)
	switch {
	case err == nil || refused:
		return err
	case ok && late.Timeout():
		return refusalf(http.StatusRequestTimeout, "The request did not arrive in time.")
	}
	return refusalf(http.StatusBadRequest, "The request is not valid HTTP/1.1.")
}

func bodyTooLarge(most int64) error {
	return refusalf(http.StatusRequestEntityTooLarge, "The request is larger than %d bytes: send fewer rows at once, or raise --max_request_bytes.", most)
}

func (s *Server) tooLarge() error { return bodyTooLarge(s.most) }

// reply takes the memory of an answer whose values take cell bytes each, or refuses it.
func (s *Server) reply(b *batch, rows, width int, cell int64) error {
	const number = 8
	cells := int64(rows) * int64(width)
	if cells*cell > s.most {
		return refusalf(http.StatusRequestEntityTooLarge, "The answer has %d rows of %d values, and may be larger than %d bytes: send fewer rows at once, or raise --max_request_bytes.", rows, width, s.most)
	}
	return b.share.atLeast(b.footprint() + cells*(number+cell))
}

// cellBytes is how much a value of an answer takes at most. Labels are those of the answer.
func cellBytes(labels ...[][][]byte) int64 {
	most := len("-1.7976931348623157e+308")
	if labels[0] != nil {
		most = 0
	}
	for _, one := range slices.Concat(labels...) {
		for _, label := range one {
			most = max(most, len(label))
		}
	}
	return int64(most + len("],["))
}

// serve answers with b.out. A large answer is not copied, and its memory counts until the client
// has it.
func serve(ctx *fasthttp.RequestCtx, contentType string, b *batch) {
	const copied = 1 << 16
	if len(b.out) <= copied {
		serveBytes(ctx, contentType, b.out)
		return
	}
	size := len(b.out)
	ctx.SetContentType(contentType)
	ctx.Response.SetBodyStream(&largeAnswer{*bytes.NewReader(b.out), b.share.split(int64(cap(b.out)))}, size)
	_ = ctx.SetWriteDeadline(time.Now().Add(readTimeout + time.Duration(size)*time.Second/slowestBody)) // else there is none
	b.out = nil
}

// largeAnswer is an answer that returns its memory when it is closed.
type largeAnswer struct {
	bytes.Reader
	share *share
}

// Close implements io.Closer.
func (a *largeAnswer) Close() error {
	a.share.release()
	return nil
}

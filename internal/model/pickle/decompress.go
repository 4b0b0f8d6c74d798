// SPDX-License-Identifier: Apache-2.0

package pickle

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz/lzma"

	"github.com/serin-dev/serin/internal/model/budget"
)

// maxDictionary is the dictionary of the strongest preset of xz, in bytes.
const maxDictionary = 64 << 20

// codecs are the compressions that joblib writes, by their magic bytes.
var codecs = []struct {
	name, magic string
	open        func(*bufio.Reader, *budget.Budget) (io.Reader, error)
}{
	{"zlib", "\x78", func(r *bufio.Reader, _ *budget.Budget) (io.Reader, error) { return zlib.NewReader(r) }},
	{"gzip", "\x1f\x8b", func(r *bufio.Reader, _ *budget.Budget) (io.Reader, error) { return gzip.NewReader(r) }},
	{"bzip2", "BZ", func(r *bufio.Reader, _ *budget.Budget) (io.Reader, error) { return bzip2.NewReader(r), nil }},
	{"lzma", "\x5d\x00", func(r *bufio.Reader, b *budget.Budget) (io.Reader, error) {
		return lzma.ReaderConfig{DictCap: int(max(lzma.MinDictCap, min(maxDictionary, b.Left())))}.NewReader(r)
	}},
	{"lz4", "\x04\x22\x4d\x18", func(r *bufio.Reader, _ *budget.Budget) (io.Reader, error) { return lz4.NewReader(r), nil }},
}

// decompress returns the pickle inside data, which is data itself when it is
// not compressed. It decompresses twice, first only to count, so that a bomb
// costs no memory and an honest file costs exactly its size.
func decompress(data []byte, b *budget.Budget) ([]byte, error) {
	switch {
	case len(data) == 0:
		return nil, errors.New("the file is empty")
	case bytes.HasPrefix(data, []byte("ZF")):
		return nil, errors.New("the file was written by joblib 0.9 or older: load it with a newer joblib and dump it again")
	case bytes.HasPrefix(data, []byte(xzMagic)):
		raw, err := decompressXZ(data, b)
		return raw, wrapCodec("xz", err)
	}
	for _, c := range codecs {
		if !bytes.HasPrefix(data, []byte(c.magic)) {
			continue
		}
		raw, err := decompressWith(c.open, data, b)
		return raw, wrapCodec(c.name, err)
	}
	if int64(len(data)) > b.Left() {
		return nil, tooLarge(b.Left())
	}
	return data, nil
}

func decompressWith(open func(*bufio.Reader, *budget.Budget) (io.Reader, error), data []byte, b *budget.Budget) ([]byte, error) {
	// Both the input and the output poll Stop: a bomb has a small input, empty blocks a small output.
	reader := func() (io.Reader, error) {
		r, err := open(bufio.NewReaderSize(&polled{bytes.NewReader(data), b}, 1<<16), b)
		return &polled{r, b}, err
	}
	r, err := reader()
	if err != nil {
		return nil, err
	}
	n, err := io.Copy(io.Discard, io.LimitReader(r, b.Left()+1))
	if err != nil {
		return nil, err
	}
	if n > b.Left() {
		return nil, tooLarge(b.Left())
	}
	if r, err = reader(); err != nil {
		return nil, err
	}
	raw := make([]byte, n)
	_, err = io.ReadFull(r, raw)
	return raw, err
}

// polled is a reader that Stop ends.
type polled struct {
	r io.Reader
	b *budget.Budget
}

func (h *polled) Read(p []byte) (int, error) {
	if err := h.b.Poll(len(p)); err != nil {
		return 0, err
	}
	return h.r.Read(p)
}

// sizeError is the error of a file that is too large. It names no codec.
type sizeError int64

func (e sizeError) Error() string { return fmt.Sprintf("the file holds more than %d bytes", int64(e)) }

func tooLarge(limit int64) error { return sizeError(limit) }

func wrapCodec(name string, err error) error {
	if _, ok := errors.AsType[sizeError](err); ok || err == nil {
		return err
	}
	return fmt.Errorf("decompress %s: %w", name, err)
}

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

// decompress returns the pickle inside a file, which is the file itself when it is
// not compressed, and its size, or -1 if that is not known.
func decompress(file io.Reader, size int64, b *budget.Budget) (io.Reader, int64, error) {
	r := bufio.NewReaderSize(file, 1<<16)
	head, err := r.Peek(min(int(size), len(xzMagic)))
	switch {
	case err != nil:
		return nil, 0, ended(err)
	case bytes.HasPrefix(head, []byte("ZF")):
		return nil, 0, errors.New("the file was written by joblib 0.9 or older: load it with a newer joblib and dump it again")
	case bytes.HasPrefix(head, []byte(xzMagic)):
		raw, err := decompressXZ(r, size, b)
		return &named{"xz", raw}, -1, wrapCodec("xz", err)
	}
	for _, c := range codecs {
		if bytes.HasPrefix(head, []byte(c.magic)) {
			raw, err := c.open(r, b)
			// Both the input and the output poll Stop: a bomb has a small input, empty blocks a small output.
			return &named{c.name, &polled{raw, b}}, -1, wrapCodec(c.name, err)
		}
	}
	return r, size, nil
}

// named is a reader whose errors name its codec.
type named struct {
	name string
	r    io.Reader
}

func (n *named) Read(p []byte) (int, error) {
	k, err := n.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = wrapCodec(n.name, err)
	}
	return k, err
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

func wrapCodec(name string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("decompress %s: %w", name, err)
}

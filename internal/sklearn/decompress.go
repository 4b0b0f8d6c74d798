// SPDX-License-Identifier: Apache-2.0

package sklearn

import (
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zlib"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"
)

// maxDictionary is what the strongest preset of xz asks for.
const maxDictionary = 64 << 20

// codecs are the compressions that joblib writes, by how the file begins.
var codecs = []struct {
	name, magic string
	open        func([]byte) (io.Reader, error)
}{
	{"zlib", "\x78", func(data []byte) (io.Reader, error) { return zlib.NewReader(bytes.NewReader(data)) }},
	{"gzip", "\x1f\x8b", func(data []byte) (io.Reader, error) { return gzip.NewReader(bytes.NewReader(data)) }},
	{"bzip2", "BZ", func(data []byte) (io.Reader, error) { return bzip2.NewReader(bytes.NewReader(data)), nil }},
	{"xz", "\xfd7zXZ", openXZ},
	{"lzma", "\x5d\x00", func(data []byte) (io.Reader, error) {
		return lzma.ReaderConfig{DictCap: maxDictionary}.NewReader(bytes.NewReader(data))
	}},
	{"lz4", "\x04\x22\x4d\x18", func(data []byte) (io.Reader, error) { return lz4.NewReader(bytes.NewReader(data)), nil }},
}

// decompress returns the pickle inside data, which is data itself when it is
// not compressed. It decompresses twice, first only to count, so that a bomb
// costs no memory and an honest file costs exactly its size.
func decompress(data []byte, limit int) ([]byte, error) {
	if len(data) == 0 {
		return nil, errors.New("the file is empty")
	}
	if bytes.HasPrefix(data, []byte("ZF")) {
		return nil, errors.New("the file was written by joblib 0.9 or older: load it with a newer joblib and dump it again")
	}
	for _, c := range codecs {
		if !bytes.HasPrefix(data, []byte(c.magic)) {
			continue
		}
		r, err := c.open(data)
		if err != nil {
			return nil, fmt.Errorf("decompress %s: %w", c.name, err)
		}
		n, err := io.Copy(io.Discard, io.LimitReader(r, int64(limit)+1))
		if err != nil {
			return nil, fmt.Errorf("decompress %s: %w", c.name, err)
		}
		if n > int64(limit) {
			return nil, tooLarge(limit)
		}
		if r, err = c.open(data); err != nil {
			return nil, fmt.Errorf("decompress %s: %w", c.name, err)
		}
		raw := make([]byte, n)
		if _, err := io.ReadFull(r, raw); err != nil {
			return nil, fmt.Errorf("decompress %s: %w", c.name, err)
		}
		return raw, nil
	}
	if len(data) > limit {
		return nil, tooLarge(limit)
	}
	return data, nil
}

func tooLarge(limit int) error {
	return fmt.Errorf("the file holds more than %d bytes", limit)
}

// openXZ refuses a first block that asks for an unusual dictionary, because
// the decoder allocates what the header says.
func openXZ(data []byte) (io.Reader, error) {
	const header = 12
	if len(data) > header+16 {
		filters := data[header+2:]
		for _, size := range []byte{0x40, 0x80} { // optional sizes come first
			if data[header+1]&size != 0 {
				filters = skipVarint(filters)
			}
		}
		if len(filters) > 2 && filters[0] == 0x21 {
			if n, err := lzma.DecodeDictCap(filters[2]); err != nil || n > maxDictionary {
				return nil, fmt.Errorf("the dictionary is larger than %d bytes", maxDictionary)
			}
		}
	}
	return xz.NewReader(bytes.NewReader(data))
}

func skipVarint(b []byte) []byte {
	for i, c := range b {
		if c < 0x80 {
			return b[i+1:]
		}
	}
	return nil
}

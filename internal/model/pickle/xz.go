// SPDX-License-Identifier: Apache-2.0

package pickle

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"

	"github.com/ulikunitz/xz/lzma"

	"github.com/serin-dev/serin/internal/model/budget"
)

// We read the container of xz ourselves, because the library allocates whatever
// size the header of each block states. An xz file is
//
//	stream:  header (12) | block ... | index | footer (12)
//	block:   header | LZMA2 chunk ... | 0 | padding to 4 | check
//	chunk:   control | sizes | data
//
// and streams follow each other, with zeros between them. The headers of the
// chunks state the size of each block, so the memory of the whole file is known
// before anything is decompressed, and no dictionary is larger than its block.
// See https://tukaani.org/xz/xz-file-format.txt

const (
	xzMagic     = "\xfd7zXZ"
	xzHeader    = "\xfd7zXZ\x00"
	xzFooter    = "YZ"
	xzEnds      = 12 // bytes of a header, and of a footer
	lzma2Filter = 0x21
	// lzmaState is roughly the size of a decoder's state, in bytes.
	lzmaState = 32 << 10
)

var errXZ = errors.New("the file is truncated or damaged")

var crc64ECMA = crc64.MakeTable(crc64.ECMA)

// xzChecks are the kinds of checksums, by their number in a stream's header.
var xzChecks = map[byte]func() hash.Hash{
	0:  func() hash.Hash { return nil },
	1:  func() hash.Hash { return crc32.NewIEEE() },
	4:  func() hash.Hash { return crc64.New(crc64ECMA) },
	10: sha256.New,
}

// xzBlock is one block of a stream.
type xzBlock struct {
	chunks     []byte
	size       int64 // decompressed
	dictionary int64
	check      []byte
	sum        hash.Hash // nil for none

	budget *budget.Budget
	r      io.Reader // nil before the first Read
	read   int64     // bytes so far
}

// blockCost is the memory of a block without its dictionary, in bytes.
const blockCost = 512

// decompressXZ returns the blocks of a file, one after the other. It walks all
// headers before it decompresses anything.
func decompressXZ(file io.Reader, stored int64, b *budget.Budget) (io.Reader, error) {
	if err := b.Alloc(int(stored)); err != nil {
		return nil, err
	}
	data := make([]byte, stored)
	if _, err := io.ReadFull(file, data); err != nil {
		return nil, err
	}
	var blocks []io.Reader
	err := walkXZ(data, func(block *xzBlock) error {
		if block.dictionary > maxDictionary {
			return fmt.Errorf("the dictionary is larger than %d bytes", maxDictionary)
		}
		if err := b.Fits(block.window()); err != nil {
			return err
		}
		block.budget = b
		blocks = append(blocks, block)
		return errors.Join(b.Alloc(blockCost), b.Work(1+int(block.window())/budget.StepBytes))
	})
	return io.MultiReader(blocks...), err
}

// window is the dictionary that the block needs.
func (x *xzBlock) window() int64 { return max(lzma.MinDictCap, min(x.dictionary, x.size)) }

// Read decompresses the block, and checks its size and checksum at its end.
func (x *xzBlock) Read(p []byte) (int, error) {
	if x.r == nil {
		r, err := lzma.Reader2Config{DictCap: int(x.window())}.NewReader2(&xzSource{bytes.NewReader(x.chunks), x.budget})
		if err != nil {
			return 0, err
		}
		x.r = &polled{r, x.budget}
	}
	n, err := x.r.Read(p)
	x.read += int64(n)
	if x.sum != nil {
		x.sum.Write(p[:n])
	}
	switch {
	case x.read > x.size, errors.Is(err, io.EOF) && x.read < x.size:
		return n, fmt.Errorf("%w: a block does not end where it says", errXZ)
	case errors.Is(err, io.EOF):
		x.r = nil // its dictionary is no longer needed
		if failed := x.verify(); failed != nil {
			return n, failed
		}
	}
	return n, err
}

func (x *xzBlock) verify() error {
	if x.sum == nil {
		return nil
	}
	sum := x.sum.Sum(nil)
	if len(sum) <= 8 { // the checksums of hash are big-endian, those of xz are not
		for i, j := 0, len(sum)-1; i < j; i, j = i+1, j-1 {
			sum[i], sum[j] = sum[j], sum[i]
		}
	}
	if !bytes.Equal(sum, x.check) {
		return fmt.Errorf("%w: a checksum does not match", errXZ)
	}
	return nil
}

// xzSource charges the budget for states of the decoder, which allocates one for
// a chunk that resets it. A read of several bytes is the rest of a chunk's
// header; the decoder reads all else of a compressed chunk byte by byte.
type xzSource struct {
	r *bytes.Reader
	b *budget.Budget
}

func (s *xzSource) Read(p []byte) (int, error) {
	if len(p) > 1 {
		if err := s.b.Work(lzmaState / budget.StepBytes); err != nil {
			return 0, err
		}
	} else if err := s.b.Poll(1); err != nil {
		return 0, err
	}
	return s.r.Read(p)
}

// walkXZ calls yield with each block of each stream, in order.
func walkXZ(data []byte, yield func(*xzBlock) error) error {
	for len(data) > 0 {
		if len(data) < xzEnds || string(data[:6]) != xzHeader || crc32.ChecksumIEEE(data[6:8]) != binary.LittleEndian.Uint32(data[8:]) {
			return errXZ
		}
		flags := data[6:8]
		newSum, ok := xzChecks[flags[1]]
		if flags[0] != 0 || !ok {
			return errors.New("the kind of its checksums is not supported")
		}
		rest, index, err := xzBlocks(data[xzEnds:], newSum, yield)
		if err != nil {
			return err
		}
		if data, err = skipXZFooter(rest, flags, index); err != nil {
			return err
		}
	}
	return nil
}

// xzBlocks walks the blocks of one stream and its index, which repeats their
// sizes. It returns the data after the index, and the length of the index.
func xzBlocks(data []byte, newSum func() hash.Hash, yield func(*xzBlock) error) (rest []byte, index int, err error) {
	var records []byte
	blocks := uint64(0)
	for len(data) > 0 && data[0] != 0 {
		block := &xzBlock{sum: newSum()}
		before := len(data)
		if data, err = block.parse(data); err != nil {
			return nil, 0, err
		}
		if err := yield(block); err != nil {
			return nil, 0, err
		}
		blocks++
		padding := -len(block.chunks) & 3
		records = binary.AppendUvarint(records, uint64(before-len(data)-padding))
		records = binary.AppendUvarint(records, uint64(block.size))
	}
	want := append(binary.AppendUvarint([]byte{0}, blocks), records...)
	want = append(want, make([]byte, -len(want)&3)...)
	want = binary.LittleEndian.AppendUint32(want, crc32.ChecksumIEEE(want))
	if !bytes.HasPrefix(data, want) {
		return nil, 0, errXZ
	}
	return data[len(want):], len(want), nil
}

// parse reads the block at the beginning of data and returns what follows.
func (x *xzBlock) parse(data []byte) ([]byte, error) {
	length := (int(data[0]) + 1) * 4
	if len(data) < length || crc32.ChecksumIEEE(data[:length-4]) != binary.LittleEndian.Uint32(data[length-4:]) {
		return nil, errXZ
	}
	flags, header := data[1], data[2:length-4]
	sizes := []int64{-1, -1} // compressed and decompressed, where the header tells
	for i, present := range []byte{0x40, 0x80} {
		if flags&present != 0 {
			n, k := binary.Uvarint(header)
			if k <= 0 || n > 1<<62 {
				return nil, errXZ
			}
			sizes[i], header = int64(n), header[k:]
		}
	}
	if flags&0x3f != 0 || len(header) < 3 || header[0] != lzma2Filter || header[1] != 1 {
		return nil, errors.New("a filter other than LZMA2 is not supported")
	}
	var err error
	if x.dictionary, err = lzma.DecodeDictCap(header[2]); err != nil {
		return nil, err
	}
	data = data[length:]
	n, err := x.walkChunks(data)
	if err != nil {
		return nil, err
	}
	if sizes[0] >= 0 && sizes[0] != int64(n) || sizes[1] >= 0 && sizes[1] != x.size {
		return nil, fmt.Errorf("%w: a block does not have the size that it says", errXZ)
	}
	check := 0
	if x.sum != nil {
		check = x.sum.Size()
	}
	padded := (n + 3) / 4 * 4
	if len(data) < padded+check || !zeros(data[n:padded]) {
		return nil, errXZ
	}
	x.chunks, x.check = data[:n], data[padded:padded+check]
	return data[padded+check:], nil
}

// walkChunks adds up the sizes of the chunks, and returns their length in the file.
func (x *xzBlock) walkChunks(data []byte) (int, error) {
	for at := 0; at < len(data); {
		control, head, body := data[at], 3, 0
		if control == 0 {
			return at + 1, nil
		}
		switch {
		case control >= 0xc0:
			head = 6
		case control >= 0x80:
			head = 5
		case control > 2:
			return 0, errXZ
		}
		if len(data)-at < head {
			return 0, errXZ
		}
		size := int(binary.BigEndian.Uint16(data[at+1:])) + 1
		body = size // as it is
		if control >= 0x80 {
			size += int(control&0x1f) << 16
			body = int(binary.BigEndian.Uint16(data[at+3:])) + 1
		}
		x.size += int64(size)
		if at += head + body; at > len(data) {
			return 0, errXZ
		}
	}
	return 0, errXZ
}

// skipXZFooter checks a footer and drops it and the zeros that follow.
func skipXZFooter(data, flags []byte, index int) ([]byte, error) {
	if len(data) < xzEnds || string(data[10:12]) != xzFooter || !bytes.Equal(data[8:10], flags) ||
		crc32.ChecksumIEEE(data[4:10]) != binary.LittleEndian.Uint32(data) ||
		(int64(binary.LittleEndian.Uint32(data[4:]))+1)*4 != int64(index) {
		return nil, errXZ
	}
	data = data[xzEnds:]
	for len(data) >= 4 && zeros(data[:4]) {
		data = data[4:]
	}
	return data, nil
}

func zeros(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

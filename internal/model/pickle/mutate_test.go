// SPDX-License-Identifier: Apache-2.0

package pickle_test

import (
	"bytes"
	"encoding/binary"
	"io"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/modeltest"
	"github.com/serin-dev/serin/internal/model/pickle"
	"github.com/serin-dev/serin/internal/testkit/hostile"
	"github.com/serin-dev/serin/internal/testkit/opcodes"
)

// seeds are the pickles to mutate, as opcodes.
func seeds(tb testing.TB) [][][]byte {
	tb.Helper()
	var all [][][]byte
	for _, file := range fixtures(tb) {
		data := read(tb, file)
		if len(data) > 8000 {
			continue
		}
		raw, err := pickle.Decompress(data, budget.New(budget.DefaultLimits, int64(len(data))))
		if err != nil {
			tb.Fatal(err)
		}
		if ops := pickle.OpsOf(raw); ops != nil {
			all = append(all, ops)
		}
	}
	if len(all) < 10 {
		tb.Fatalf("%d pickles to mutate", len(all))
	}
	return all
}

var (
	codes    = []string{"f8", "f4", "i8", "i4", "i2", "i1", "u1", "u8", "b1", "O", "O8", "U1", "U100", "S3", "V64", "V56", "V0", "V1", ">f8", "<i4", "|b1", "f16", "M8", "f0", "U0", "V16777215"}
	extremes = []uint32{0, 1, 2, 3, 4, 8, 32, 64, 100, 255, 256, 65535, 65536, 1 << 20, 1<<24 - 1, 1 << 24, 1<<31 - 1, 1 << 31, 1<<32 - 1}
)

// mutated changes one opcode.
func mutated(c *hostile.Choices, ops [][]byte, others [][][]byte) [][]byte {
	at := c.Below(len(ops))
	splice := func(from, to int, with ...[]byte) [][]byte {
		return append(append(append([][]byte(nil), ops[:from]...), with...), ops[to:]...)
	}
	switch c.Byte() % 9 {
	case 0: // leave some out
		return splice(at, min(len(ops), at+1+c.Below(4)))
	case 1: // again
		to := min(len(ops), at+1+c.Below(8))
		return splice(to, to, ops[at:to]...)
	case 2: // often
		return splice(at, at+1, bytes.Repeat(ops[at], 1+c.Below(min(3000, megabyte/len(ops[at])))))
	case 3: // somewhere else
		other := c.Below(len(ops))
		return splice(at, at+1, ops[other])
	case 4: // from another model
		other := hostile.Pick(c, others)
		from := c.Below(len(other))
		return splice(at, at+1, other[from:min(len(other), from+1+c.Below(40))]...)
	case 5: // another number
		return splice(at, at+1, append([]byte{'J'}, binary.LittleEndian.AppendUint32(nil, hostile.Pick(c, extremes))...))
	case 6: // another dtype, name or text
		return splice(at, at+1, []byte(opcodes.Text(hostile.Pick(c, codes))))
	case 7: // something from the memo
		return splice(at, at+c.Below(2), []byte{'h', c.Byte()})
	}
	return splice(at, at+1, append([]byte{c.Byte()}, ops[at][1:]...))
}

// survives loads a file, and predicts if it is a model. It returns the error.
func survives(t *testing.T, data []byte) error {
	t.Helper()
	m, err := parse(data, budget.Limits{Memory: 8 * megabyte})
	if err != nil {
		return err
	}
	return modeltest.Survives(t, m)
}

func tryOps(t *testing.T, all [][][]byte, decisions []byte) error {
	t.Helper()
	c := hostile.NewChoices(decisions)
	ops := hostile.Pick(c, all)
	for range 1 + c.Byte()%8 {
		if ops = mutated(c, ops, all); len(ops) == 0 {
			return nil
		}
	}
	return survives(t, bytes.Join(ops, nil))
}

// FuzzPickles mutates the opcodes of good models.
func FuzzPickles(f *testing.F) {
	all := seeds(f)
	f.Add([]byte("\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, decisions []byte) { _ = tryOps(t, all, decisions) })
}

// tryDtype makes a tree whose nodes have a dtype that is made and changed by
// decisions.
func tryDtype(t *testing.T, decisions []byte) error {
	t.Helper()
	c := hostile.NewChoices(decisions)
	int32Of := func(n uint32) string { return "J" + string(binary.LittleEndian.AppendUint32(nil, n)) }
	size := func() string {
		if c.Byte()%8 == 0 { // wider than the sum that it becomes a part of
			return "\x8a\x08" + string(binary.LittleEndian.AppendUint64(nil, 1<<63-1-uint64(hostile.Pick(c, extremes))))
		}
		return int32Of(hostile.Pick(c, extremes))
	}
	state := func(fields string) string {
		return "(K\x03" + opcodes.Text(hostile.Pick(c, []string{"|", "<", ">", "="})) + "NN" + fields + size() + "J\xff\xff\xff\xffK\x00tb"
	}
	field := func(name string, offset uint32) string {
		at := int32Of(offset)
		if c.Byte()%8 == 0 {
			at = size()
		}
		code := opcodes.Dtype("i8")
		if c.Byte()%4 == 0 {
			code = opcodes.Dtype(hostile.Pick(c, codes))
		}
		if c.Byte()%8 == 0 {
			code += state("N")
		}
		return opcodes.Text(name) + "(" + code + at + "t"
	}
	fields := "}("
	for i, name := range []string{"left_child", "right_child", "feature", "threshold", "missing_go_to_left"} {
		fields += field(name, uint32(8*i))
	}
	kind := opcodes.Dtype("V40") + "(K\x03" + opcodes.Text("|") + "NN" + fields + "u" + "K\x28J\xff\xff\xff\xffK\x00tb"
	if c.Byte()%4 == 0 {
		kind = opcodes.Dtype(hostile.Pick(c, codes)) + state(fields+"u")
	}
	if c.Byte()%8 == 0 {
		kind += state(hostile.Pick(c, []string{"N", fields + "u"}))
	}
	data := strings.Repeat("\xff", 40)
	if c.Byte()%4 == 0 {
		data = strings.Repeat("\x00", c.Below(200))
	}
	elements := opcodes.Bytes(data)
	if c.Byte()%8 == 0 {
		elements = "(" + strings.Repeat("N", c.Below(4)) + "l"
	}
	order := hostile.Pick(c, []string{"\x88", "\x89"})
	nodes := opcodes.NewArray + "(K\x01(" + hostile.Pick(c, []string{"K\x01", "K\x01", "K\x01", "K\x00", "K\x01K\x01", "", size()}) + "t" + kind + order + elements + "tb"
	tree := "csklearn.tree._tree\nTree\n(K\x04" + opcodes.Array(opcodes.Dtype("i8"), opcodes.Bytes("12345678"), 1) + "K\x01t\x81}(" +
		opcodes.Text("nodes") + nodes + opcodes.Text("values") + opcodes.Array(opcodes.Dtype("f8"), opcodes.Bytes(strings.Repeat("\x00", 16)), 1, 1, 2) + "ub"
	return survives(t, []byte(pickle2+opcodes.Object("sklearn.tree._classes.DecisionTreeClassifier",
		opcodes.Text("classes_"), opcodes.Array(opcodes.Dtype("i8"), opcodes.Bytes(strings.Repeat("\x00", 16)), 2), opcodes.Text("tree_"), tree)+"."))
}

// FuzzDtypes makes structures out of bounds.
func FuzzDtypes(f *testing.F) {
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, decisions []byte) { _ = tryDtype(t, decisions) })
}

// tryXZ compares our reader of xz files with the library's on files whose
// blocks, sizes and checksums decisions make. The library may know more
// headers than ours; what both accept they read alike.
func tryXZ(t *testing.T, chunk string, decisions []byte) error {
	t.Helper()
	c := hostile.NewChoices(decisions)
	check := hostile.Pick(c, []byte{0, 0, 0, 1, 4, 10, 2})
	var file []byte
	for range 1 + c.Byte()%3 {
		var blocks []string
		for range c.Byte() % 4 {
			chunks := ""
			for range c.Byte() % 4 {
				switch c.Byte() % 4 {
				case 0:
					chunks += "\x01\x00\x02abc"
				case 1:
					chunks += "\x02\x00\x00a"
				case 2:
					chunks += chunk
				case 3: // says another size, so that what follows is read elsewhere
					broken := []byte(chunk)
					broken[c.Below(len(broken))] = c.Byte()
					chunks += string(broken)
				}
			}
			sums := map[byte]int{1: 4, 4: 8, 10: 32}
			blocks = append(blocks, xzBlockOf(chunks+"\x00", 4096<<(c.Byte()%4), make([]byte, sums[check])))
		}
		file = append(file, xzStream(check, blocks...)...)
		file = append(file, make([]byte, c.Byte()%9)...)
	}
	if c.Byte()%2 == 0 && len(file) > 0 {
		file[c.Below(len(file))] ^= c.Byte()
	}
	got, err := pickle.DecompressXZ(file, budget.New(budget.Limits{Memory: 8 << 20}, int64(len(file))))
	if err != nil {
		return err
	}
	r, err := xz.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatalf("ours gives %d bytes, the library %v", len(got), err)
	}
	want, err := io.ReadAll(r)
	if !bytes.Equal(got, want) {
		t.Fatalf("ours gives %d bytes, the library %d, %v", len(got), len(want), err)
	}
	return nil
}

// FuzzXZ puts streams together from good and broken parts.
func FuzzXZ(f *testing.F) {
	chunk := lzmaChunk(f)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, decisions []byte) { _ = tryXZ(t, chunk, decisions) })
}

func TestMutantsNeverPanic(t *testing.T) {
	all, chunk := seeds(t), lzmaChunk(t)
	for name, try := range map[string]func(*testing.T, []byte) error{
		"pickles": func(t *testing.T, b []byte) error { t.Helper(); return tryOps(t, all, b) },
		"dtypes":  tryDtype,
		"xz":      func(t *testing.T, b []byte) error { t.Helper(); return tryXZ(t, chunk, b) },
	} {
		t.Run(name, func(t *testing.T) {
			hostile.ForASecond(t, func(t *testing.T, decisions []byte) bool { t.Helper(); return try(t, decisions) == nil })
		})
	}
}

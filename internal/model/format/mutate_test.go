// SPDX-License-Identifier: Apache-2.0

package format

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"maps"
	"math"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/modeltest"
	"github.com/serin-dev/serin/internal/testkit/corpus"
	"github.com/serin-dev/serin/internal/testkit/hostile"
)

var (
	word     = regexp.MustCompile(`[-+.0-9a-zA-Z]+`)
	words    = []string{"", "0", "1", "-1", "2", "7", "31", "300", "65535", "-2147483648", "2147483647", "4294967296", "1e300", "-1e-300", "NaN", "Infinity", "nan", "true", "null", "[]", "{}", "[1,2,3]", "a", "\"0\""}
	extremes = []uint32{0, 1, 2, 3, 7, 1 << 16, 1<<31 - 1, 1 << 31, 1<<32 - 1, 0x7fc00000, 0x7f800000}
)

// mutated changes a few words or lines of a text, or a few numbers of a binary file.
func mutated(c *hostile.Choices, data []byte, text bool) []byte {
	data = slices.Clone(data)
	for range 1 + c.Below(4) {
		switch {
		case len(data) == 0:
		case text && c.Byte()%2 == 0:
			data = line(c, data)
		case text:
			if all := word.FindAllIndex(data, -1); len(all) > 0 {
				at := hostile.Pick(c, all)
				data = slices.Concat(data[:at[0]], []byte(hostile.Pick(c, words)), data[at[1]:])
			}
		default:
			data = number(c, data)
		}
	}
	return data
}

// line leaves a line out, repeats it, gives it the value of another one, or leaves out or
// repeats a word of it.
func line(c *hostile.Choices, data []byte) []byte {
	lines := bytes.Split(data, []byte("\n"))
	at, other := c.Below(len(lines)), c.Below(len(lines))
	name, value, _ := bytes.Cut(lines[at], []byte("="))
	of := bytes.Fields(value)
	switch c.Byte() % 5 {
	case 0:
		lines = slices.Delete(lines, at, at+1)
	case 1:
		lines = slices.Insert(lines, other, lines[at])
	case 2:
		_, value, _ := bytes.Cut(lines[other], []byte("="))
		lines[at] = slices.Concat(name, []byte("="), value)
	default:
		if len(of) == 0 {
			return data
		}
		if at := c.Below(len(of)); c.Byte()%2 == 0 {
			of = slices.Delete(of, at, at+1)
		} else {
			of[c.Below(len(of))] = of[at]
		}
		lines[at] = slices.Concat(name, []byte("="), bytes.Join(of, []byte(" ")))
	}
	return bytes.Join(lines, []byte("\n"))
}

// number changes a byte or a number, cuts the file, or leaves out or repeats as many bytes
// as numbers or nodes have.
func number(c *hostile.Choices, data []byte) []byte {
	at := c.Below(len(data))
	size := min(hostile.Pick(c, []int{1, 4, 8, 16, 20, 148}), len(data)-at)
	switch c.Byte() % 8 {
	case 0:
		data[at] = c.Byte()
	case 1:
		return data[:at+1]
	case 2:
		return slices.Delete(data, at, at+size)
	case 3:
		return slices.Insert(data, at, slices.Clone(data[at:at+size])...)
	default:
		number := make([]byte, 4)
		var order binary.ByteOrder = binary.BigEndian
		if c.Byte()%2 == 0 {
			order = binary.LittleEndian
		}
		order.PutUint32(number, hostile.Pick(c, extremes))
		copy(data[at:], number)
	}
	return data
}

// ubjson writes a decoded JSON value in UBJSON, and arrays of numbers in any of its forms.
func ubjson(c *hostile.Choices, out []byte, v any) []byte {
	length := func(n int) { out = binary.BigEndian.AppendUint64(append(out, 'L'), uint64(n)) }
	switch v := v.(type) {
	case map[string]any:
		out = append(out, '{')
		for _, name := range slices.Sorted(maps.Keys(v)) {
			length(len(name))
			out = ubjson(c, append(out, name...), v[name])
		}
		return append(out, '}')
	case []any:
		kind := hostile.Pick(c, []byte("dlLD[#"))
		if _, plain := at(v, 0).(float64); !plain {
			kind = '['
		}
		out = append(out, '[')
		switch kind {
		case '[':
			for _, one := range v {
				out = ubjson(c, out, one)
			}
			return append(out, ']')
		case '#':
			out = append(out, '#')
			length(len(v))
			for _, one := range v {
				out = ubjson(c, out, one)
			}
			return out
		}
		out = append(out, '$', kind, '#')
		length(len(v))
		for _, one := range v {
			n, _ := one.(float64)
			switch kind {
			case 'd':
				out = binary.BigEndian.AppendUint32(out, math.Float32bits(float32(n)))
			case 'l':
				out = binary.BigEndian.AppendUint32(out, uint32(int64(n)))
			case 'L':
				out = binary.BigEndian.AppendUint64(out, uint64(int64(n)))
			default:
				out = binary.BigEndian.AppendUint64(out, math.Float64bits(n))
			}
		}
		return out
	case string:
		out = append(out, 'S')
		length(len(v))
		return append(out, v...)
	case json.Number:
		n, _ := v.Float64() // too large is infinite
		return ubjson(c, out, n)
	case float64:
		return binary.BigEndian.AppendUint64(append(out, 'D'), math.Float64bits(v))
	case bool:
		return append(out, map[bool]byte{true: 'T', false: 'F'}[v])
	}
	return append(out, 'Z')
}

func at(list []any, i int) any {
	if i < len(list) {
		return list[i]
	}
	return nil
}

// tryFile changes a file. One of JSON is changed as a tree, which becomes JSON or UBJSON.
func tryFile(t *testing.T, files []corpus.Case, decisions []byte) bool {
	t.Helper()
	c := hostile.NewChoices(decisions)
	file := hostile.Pick(c, files)
	name, ext := file.File, path.Ext(file.File)
	var data []byte
	var tree map[string]any
	if ext == ".json" && c.Byte()%4 > 0 && json.Unmarshal(file.Data, &tree) == nil {
		if tree = hostile.Mutated(c, tree); tree == nil {
			return false
		}
		var err error
		if data, err = json.Marshal(tree); err != nil {
			t.Fatal(err)
		}
		if c.Byte()%2 == 0 {
			name, data = "m.ubj", ubjson(c, nil, any(tree))
		}
	} else {
		data = mutated(c, file.Data, ext == ".json" || ext == ".txt")
	}
	var err error
	hostile.Frugal(t, 512<<20, func() {
		var m frame.Model
		if m, err = Load(name, bytes.NewReader(data), int64(len(data)), budget.Limits{Memory: 64 << 20}); err == nil {
			_ = modeltest.Survives(t, m)
		}
	})
	if err != nil {
		if strings.Contains(err.Error(), "which is a bug") {
			t.Fatalf("%s of %s, decisions %q: %v", file.Path(), file.Version, decisions, err)
		}
		return false
	}
	return true
}

// files are those of XGBoost's and LightGBM's own formats.
func files(tb testing.TB) []corpus.Case {
	tb.Helper()
	var files []corpus.Case
	for _, kind := range []string{"xgboost", "lightgbm"} {
		for _, c := range corpus.Cases(tb, kind) {
			if slices.Contains([]string{".json", ".ubj", ".model", ".bst", ".txt"}, path.Ext(c.File)) && len(c.Data) < 12_000 && c.Version != "1.7.2" {
				files = append(files, c)
			}
		}
	}
	return files
}

// TestMutations changes numbers, names and lengths in files of XGBoost and LightGBM.
func TestMutations(t *testing.T) {
	files := files(t)
	hostile.ForASecond(t, func(t *testing.T, decisions []byte) bool { t.Helper(); return tryFile(t, files, decisions) })
}

// FuzzFiles changes files of XGBoost and LightGBM.
func FuzzFiles(f *testing.F) {
	files := files(f)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, decisions []byte) { tryFile(t, files, decisions) })
}

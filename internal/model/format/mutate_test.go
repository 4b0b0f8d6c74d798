// SPDX-License-Identifier: Apache-2.0

package format

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"maps"
	"math"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/model/modeltest"
	"github.com/serin-dev/serin/internal/testkit/corpus"
	"github.com/serin-dev/serin/internal/testkit/hostile"
)

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
		data = hostile.Damaged(c, file.Data, ext == ".json" || ext == ".txt")
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

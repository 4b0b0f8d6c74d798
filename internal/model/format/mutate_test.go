// SPDX-License-Identifier: Apache-2.0

package format

import (
	"bytes"
	"encoding/binary"
	"path"
	"regexp"
	"slices"
	"testing"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/modeltest"
	"github.com/serin-dev/serin/internal/testkit/corpus"
	"github.com/serin-dev/serin/internal/testkit/hostile"
)

var (
	word     = regexp.MustCompile(`[-+.0-9a-zA-Z]+`)
	words    = []string{"", "0", "1", "-1", "2", "7", "31", "300", "65535", "-2147483648", "2147483647", "4294967296", "1e300", "-1e-300", "NaN", "Infinity", "nan", "true", "null", "[]", "{}", "[1,2,3]", "a", "\"0\""}
	extremes = []uint32{0, 1, 2, 3, 7, 1 << 16, 1<<31 - 1, 1 << 31, 1<<32 - 1, 0x7fc00000, 0x7f800000}
)

// mutated changes a few words of a text, or a few numbers of a binary file.
func mutated(c *hostile.Choices, data []byte, text bool) []byte {
	data = slices.Clone(data)
	for range 1 + c.Below(4) {
		if text {
			all := word.FindAllIndex(data, -1)
			if len(all) == 0 {
				return data
			}
			at := hostile.Pick(c, all)
			data = slices.Concat(data[:at[0]], []byte(hostile.Pick(c, words)), data[at[1]:])
			continue
		}
		at := c.Below(len(data))
		switch c.Byte() % 4 {
		case 0:
			data[at] = c.Byte()
		case 1:
			data = data[:at+1]
		default:
			number := make([]byte, 4)
			var order binary.ByteOrder = binary.BigEndian
			if c.Byte()%2 == 0 {
				order = binary.LittleEndian
			}
			order.PutUint32(number, hostile.Pick(c, extremes))
			copy(data[at:], number)
		}
	}
	return data
}

// TestMutations changes numbers, names and lengths in files of XGBoost and LightGBM.
func TestMutations(t *testing.T) {
	var files []corpus.Case
	for _, kind := range []string{"xgboost", "lightgbm"} {
		for _, c := range corpus.Cases(t, kind) {
			if ext := path.Ext(c.File); slices.Contains([]string{".json", ".ubj", ".model", ".txt"}, ext) && len(c.Data) < 12_000 && c.Version != "1.7.2" {
				files = append(files, c)
			}
		}
	}
	hostile.ForASecond(t, func(t *testing.T, decisions []byte) bool {
		t.Helper()
		c := hostile.NewChoices(decisions)
		file := hostile.Pick(c, files)
		ext := path.Ext(file.File)
		data := mutated(c, file.Data, ext == ".json" || ext == ".txt")
		m, err := Load(file.File, bytes.NewReader(data), int64(len(data)), budget.Limits{Memory: 64 << 20})
		if err != nil {
			return false
		}
		_ = modeltest.Survives(t, m)
		return true
	})
}

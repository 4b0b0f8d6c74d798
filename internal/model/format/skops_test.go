// SPDX-License-Identifier: Apache-2.0

package format

import (
	"archive/zip"
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/modeltest"
	"github.com/serin-dev/serin/internal/testkit/corpus"
	"github.com/serin-dev/serin/internal/testkit/hostile"
)

// rezipped mutates one file of a zip: the schema of skops, or an array.
func rezipped(t *testing.T, c *hostile.Choices, data []byte) []byte {
	t.Helper()
	in, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	out := zip.NewWriter(&b)
	schema := c.Byte()%4 != 0
	for i, f := range in.File {
		content := unzipped(t, f)
		switch {
		case schema && f.Name == "schema.json":
			content = hostile.Damaged(c, content, true)
		case !schema && i == c.Below(len(in.File)) && len(content) > 0:
			content = hostile.Damaged(c, content, false)
		}
		w, err := out.CreateHeader(&zip.FileHeader{Name: f.Name})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func unzipped(t *testing.T, f *zip.File) []byte {
	t.Helper()
	r, err := f.Open()
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// TestMutationsOfSkops changes the values and the arrays of files of skops.
func TestMutationsOfSkops(t *testing.T) {
	var files []corpus.Case
	for _, c := range corpus.Cases(t, "skops") {
		if len(c.Data) < 40_000 {
			files = append(files, c)
		}
	}
	hostile.ForASecond(t, func(t *testing.T, decisions []byte) bool {
		t.Helper()
		c := hostile.NewChoices(decisions)
		file := hostile.Pick(c, files)
		data := rezipped(t, c, file.Data)
		m, err := Load(file.File, bytes.NewReader(data), int64(len(data)), budget.Limits{Memory: 64 << 20})
		if err != nil {
			if strings.Contains(err.Error(), "which is a bug") {
				t.Error(err)
			}
			return false
		}
		_ = modeltest.Survives(t, m)
		return true
	})
}

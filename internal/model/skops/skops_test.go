// SPDX-License-Identifier: Apache-2.0

package skops

import (
	"archive/zip"
	"bytes"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/serin-dev/serin/internal/model/budget"
	"github.com/serin-dev/serin/internal/model/pickle"
)

// file zips a schema, and arrays.
func file(t *testing.T, schema string, others ...string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for i := 0; i < len(others)+1; i += 2 {
		name, content := "schema.json", schema
		if i > 0 {
			name, content = others[i-2], others[i-1]
		}
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: method(content)})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// method compresses what does not change in a test.
func method(content string) uint16 {
	if len(content) > 1<<16 {
		return zip.Deflate
	}
	return zip.Store
}

func read(data []byte, memory int64) (any, error) {
	v, _, err := Read(bytes.NewReader(data), int64(len(data)), budget.Limits{Memory: memory})
	return v, err
}

// list is a schema of one list.
func list(items ...string) string {
	return `{"__loader__":"ListNode","protocol":2,"content":[` + strings.Join(items, ",") + `]}`
}

func scalar(text string) string { return `{"__loader__":"JsonNode","content":"` + text + `"}` }

func TestScalarsOfPython(t *testing.T) {
	v, err := read(file(t, list(scalar("null"), scalar("true"), scalar("7"), scalar("1.0"), scalar("1e-09"), scalar("NaN"), scalar("-Infinity"),
		scalar("123456789012345678901234567890"), scalar(`\"a\\u00e9\"`))), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	want := &pickle.List{Items: []any{pickle.None{}, true, int64(7), 1.0, 1e-9, math.NaN(), math.Inf(-1), pickle.BigInt{}, "aé"}}
	if diff := cmp.Diff(want, v, cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestArraysOfNumpy(t *testing.T) {
	npy := func(header, data string) string {
		return "\x93NUMPY\x01\x00" + string([]byte{byte(len(header)), byte(len(header) >> 8)}) + header + data
	}
	array := func(class string) string {
		return `{"__loader__":"NdArrayNode","__class__":"` + class + `","type":"numpy","file":"a.npy"}`
	}
	for name, test := range map[string]struct{ class, npy, want string }{
		"integers":          {"ndarray", npy("{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }\n", "\x01\x00\x02\x00"), ""},
		"a structure":       {"ndarray", npy("{'descr': [('a', '<i2'), ('', '|V2')], 'fortran_order': False, 'shape': (1,), }\n", "\x01\x00\x02\x00"), ""},
		"a scalar":          {"int16", npy("{'descr': '<i2', 'fortran_order': False, 'shape': (), }\n", "\x01\x00"), ""},
		"too few bytes":     {"ndarray", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 2), }\n", "\x01\x00"), "an array of 2000000 elements holds 2 bytes"},
		"too many elements": {"ndarray", npy("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999, 99999999), }\n", ""), "an array is larger than any model needs"},
		"objects":           {"ndarray", npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n", "\x01"), "an array of numbers holds objects"},
		"code in place":     {"ndarray", npy("{'descr': __import__('os'), 'fortran_order': False, 'shape': (1,), }\n", "\x01"), "an array of the file is malformed"},
		"a cut header":      {"ndarray", "\x93NUMPY\x01\x00\xff\xff{}", "an array of the file is malformed"},
		"no array":          {"ndarray", "x", "an array of the file is malformed"},
		"a scalar of many":  {"int16", npy("{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }\n", "\x01\x00\x02\x00"), "a scalar is an array"},
	} {
		_, err := read(file(t, list(array(test.class)), "a.npy", test.npy), 1<<20)
		if got := message(err); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestWhatTheFileNamesIsNotCalled(t *testing.T) {
	v, err := read(file(t, list(
		`{"__loader__":"ObjectNode","__module__":"os","__class__":"system"}`,
		`{"__loader__":"MethodNode","__module__":"os","__class__":"system","content":{"func":"x"}}`,
		`{"__loader__":"NoSuchNode","__module__":"os","__class__":"system","content":7}`,
		`{"__loader__":"FunctionNode","__module__":"os","__class__":"system"}`,
	)), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	system := &pickle.Global{Module: "os", Name: "system"}
	want := &pickle.List{Items: []any{&pickle.Object{Class: system}, &pickle.Object{Class: system}, &pickle.Object{Class: system}, system}}
	if diff := cmp.Diff(want, v, cmpopts.IgnoreUnexported(pickle.Global{})); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestKeysThatAreNoStringsAreLeftOut(t *testing.T) {
	dict := func(key string) string {
		return `{"__loader__":"DictNode","content":{"1":` + scalar("2") + `},"key_types":{"content":[{"__loader__":"TypeNode","__class__":"` + key + `"}]}}`
	}
	v, err := read(file(t, list(dict("str"), dict("int"))), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	want := &pickle.List{Items: []any{&pickle.Dict{Entries: map[string]any{"1": int64(2)}}, &pickle.Dict{}}}
	if diff := cmp.Diff(want, v); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestFilesThatAreNotSkopsAreRefused(t *testing.T) {
	deep := strings.Repeat(`{"__loader__":"ListNode","protocol":2,"content":[`, 200) + strings.Repeat("]}", 200)
	damaged := bytes.Replace(file(t, list(scalar("7"))), []byte(`"7"`), []byte(`"8"`), 1)
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"a damaged value":    {damaged, "unzip schema.json: zip: checksum error"},
		"a pickle":           {[]byte("\x80\x04N."), "the file is no zip, as skops writes: it is damaged, or has another suffix"},
		"an empty file":      {nil, "the file is no zip, as skops writes: it is damaged, or has another suffix"},
		"another zip":        {file(t, "{}"), "skops' protocol 0 is not supported, only 2: save the model with a newer skops"},
		"no JSON":            {file(t, "x"), "schema.json is not what skops writes: the file is damaged"},
		"a missing array":    {file(t, list(`{"__loader__":"BytesNode","file":"../x"}`)), "the file has no ../x: it is damaged, or no skops file"},
		"nested too deeply":  {file(t, deep), "the values of the file are nested too deeply"},
		"a bomb":             {file(t, list(), "a", strings.Repeat("\x00", 1<<24)), ""},
		"a bomb that is met": {file(t, list(`{"__loader__":"BytesNode","file":"a"}`), "a", strings.Repeat("\x00", 1<<24)), "the model needs more memory than the 4194304 bytes that loading may take here"},
		"a scalar of none":   {file(t, list(scalar("x"))), "schema.json is not what skops writes: the file is damaged"},
	} {
		_, err := read(test.data, 1<<22)
		if got := message(err); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

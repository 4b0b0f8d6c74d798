// SPDX-License-Identifier: Apache-2.0

package server

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/serin-dev/serin/internal/model/frame"
)

// readTensor reads one tensor as JSON.
func readTensor(typ, data string) (*tensor, error) {
	b := &batch{}
	_, err := b.inferRequest("m", fmt.Appendf(nil, `{"inputs":[{"data":%s,"datatype":%q,"name":"x","shape":[-1]}]}`, data, typ), nil)
	if len(b.inputs) == 0 {
		return nil, err
	}
	return &b.inputs[0], err
}

func TestValuesAreExactOrRefused(t *testing.T) {
	for _, test := range []struct {
		typ, data string
		want      []float64
		rounded   bool
	}{
		{"INT8", "[-128,127,7.0,\"5\",true]", []float64{-128, 127, 7, 5, 1}, false},
		{"UINT8", "[0,255]", []float64{0, 255}, false},
		{"INT64", "[-9223372036854775808,9223372036854775807]", []float64{math.MinInt64, math.MaxInt64}, true},
		{"INT64", "[9007199254740992]", []float64{1 << 53}, false},
		{"INT64", "[9007199254740993]", []float64{1 << 53}, true},
		{"UINT64", "[18446744073709551615]", []float64{math.MaxUint64}, true},
		{"FP32", "[0.1,null,\"1e3\",16777217]", []float64{float64(float32(0.1)), math.NaN(), 1000, 16777216}, false},
		{"FP64", "[0.1,-1e-400]", []float64{0.1, math.Copysign(0, -1)}, false},
		{"BOOL", "[true,false,1,0]", []float64{1, 0, 1, 0}, false},
		{"fp64", "[[[1],[2]],[[3],[4]]]", []float64{1, 2, 3, 4}, false},
	} {
		got, err := readTensor(test.typ, test.data)
		if err != nil {
			t.Errorf("%s %s: %v", test.typ, test.data, err)
			continue
		}
		if diff := cmp.Diff(test.want, got.values, cmpopts.EquateNaNs()); diff != "" || got.rounded != test.rounded {
			t.Errorf("%s %s: rounded %t (-want +got):\n%s", test.typ, test.data, got.rounded, diff)
		}
	}
	for _, test := range []struct{ typ, data, want string }{
		{"INT8", "[128]", `input "x" holds 128, which is out of bounds for INT8`},
		{"UINT8", "[-1]", `input "x" holds -1, which is no UINT8`},
		{"INT64", "[9223372036854775808]", `input "x" holds 9223372036854775808, which is out of bounds for INT64`},
		{"INT32", "[1.5]", `input "x" holds 1.5, which is no INT32`},
		{"INT32", "[1e3]", `input "x" holds 1e3, which is no INT32`},
		{"INT32", "[null]", `input "x" holds null, but INT32 has no missing value`},
		{"FP32", "[1e39]", `input "x" holds 1e+39, which is too large for FP32`},
		{"FP64", "[\"a\"]", `could not convert string to float: 'a'`},
		{"FP16", "[1]", `Sending FP16 data via JSON is not supported. Please use the binary data format for input x`},
		{"BOOL", "[2]", `input "x" holds 2: a BOOL is true or false`},
		{"BOOL", "[\"false\"]", `input "x" holds the string "false": a BOOL is true or false`},
		{"FP64", "[[1,2],[3]]", `the lists in input "x" have different lengths or depths`},
		{"FP64", "[[1],2]", `the lists in input "x" have different lengths or depths`},
		{"FP64", "[1,[2]]", `the lists in input "x" have different lengths or depths`},
		{"FP64", "[{}]", `input "x" holds an object in its data`},
		{"FP8", "[1]", `invalid datatype "FP8" in the input: it must be one of BOOL, INT8 to INT64, UINT8 to UINT64, FP16 to FP64, BYTES`},
	} {
		if _, err := readTensor(test.typ, test.data); err == nil || err.Error() != test.want {
			t.Errorf("%s %s:\n got %v\nwant %s", test.typ, test.data, err, test.want)
		}
	}
}

// NaNs that stand for None and strings in a frame are only NaNs in a request.
func TestNoNaNOfARequestIsNoneOrText(t *testing.T) {
	x := tensor{typ: datatypeOf("FP64")}
	for _, v := range []float64{frame.None, frame.Text} {
		raw := binary.LittleEndian.AppendUint64(nil, math.Float64bits(v))
		for way, read := range map[string]func() error{
			"raw":        func() error { return x.raw(raw) },
			"contents":   func() error { return x.contents(sub(7, raw)) },
			"not packed": func() error { return x.contents(append(protowire.AppendTag(nil, 7, protowire.Fixed64Type), raw...)) },
		} {
			if err := read(); err != nil {
				t.Fatal(way, err)
			}
			if got := x.values[0]; !math.IsNaN(got) || frame.IsNone(got) || frame.IsText(got) {
				t.Errorf("%s: %v is %x", way, v, math.Float64bits(got))
			}
		}
	}
}

func TestIntegersThatMayBeNamesMustBeExact(t *testing.T) {
	b := &batch{schema: frame.Schema{Width: 2, Kinds: []frame.Kind{frame.Numbers, frame.Anything}}}
	read := func(data string) error {
		if _, err := b.inferRequest("m", fmt.Appendf(nil, `{"inputs":[{"name":"x","shape":[1,2],"datatype":"INT64","data":%s}]}`, data), nil); err != nil {
			t.Fatal(err)
		}
		return b.fill(false)
	}
	if err := read("[1,2]"); err != nil {
		t.Error(err)
	}
	if err := read("[1,9007199254740993]"); err == nil || !strings.Contains(err.Error(), "beyond 2^53") {
		t.Errorf("an integer beyond 2^53: %v", err)
	}
}

func TestAModelOfSingleValuesTakesOneColumn(t *testing.T) {
	b := &batch{schema: frame.Schema{Width: 1, Kinds: []frame.Kind{frame.Strings}, Flat: true}}
	for shape, want := range map[string]string{
		"[2]": "", "[2,1]": "", "[-1]": "", "[1,2]": "The model works on single values: the shape must be [rows]", "[2,1,1]": "Found array with dim 3, while dim <= 2 is required: the shape must be [rows, columns]",
	} {
		if _, err := b.inferRequest("m", fmt.Appendf(nil, `{"inputs":[{"name":"x","shape":%s,"datatype":"BYTES","data":["a","b"]}]}`, shape), nil); err != nil {
			t.Fatal(err)
		}
		err := b.fill(false)
		if got := fmt.Sprint(err); got != want && (err != nil || want != "") {
			t.Errorf("shape %s: %v, want %s", shape, err, want)
		}
		if err == nil && (b.x.Rows != 2 || b.x.Texts[1] != "b") {
			t.Errorf("shape %s: %d rows of %q", shape, b.x.Rows, b.x.Texts)
		}
	}
}

func TestColumnsOfADataFrameMayHoldAnything(t *testing.T) {
	b := &batch{schema: frame.Schema{Width: 2, Names: []string{"n", "s"}, Kinds: []frame.Kind{frame.Numbers, frame.Anything}}}
	request := `{"parameters":{"content_type":"pd"},"inputs":[{"name":"s","shape":[3],"datatype":"BYTES","data":["a",null,7]},{"name":"n","shape":[3],"datatype":"BYTES","data":["1",null,3]}]}`
	c, err := b.inferRequest("m", []byte(request), nil)
	if err == nil {
		err = b.fill(c.contentType == "pd")
	}
	if err != nil {
		t.Fatal(err)
	}
	want := []float64{1, frame.Text, math.NaN(), frame.None, 3, 7}
	if diff := cmp.Diff(want, b.x.Data, cmp.Comparer(func(a, b float64) bool {
		return a == b || math.IsNaN(a) && math.IsNaN(b) && frame.IsText(a) == frame.IsText(b) && frame.IsNone(a) == frame.IsNone(b)
	})); diff != "" || b.x.Texts[1] != "a" {
		t.Errorf("texts %q (-want +got):\n%s", b.x.Texts, diff)
	}
	for _, test := range []struct{ names, want string }{
		{"nn", `the input "n" is there twice`},
		{"nx", `there is no input "s", which is a column of the model`},
		{"nsx", `the input "x" is no column of the model`},
		{"", "the request has no inputs"},
	} {
		var inputs []string
		for _, name := range test.names {
			inputs = append(inputs, fmt.Sprintf(`{"name":"%c","shape":[1],"datatype":"FP64","data":[1]}`, name))
		}
		if _, err := b.inferRequest("m", []byte(`{"inputs":[`+strings.Join(inputs, ",")+`]}`), nil); err != nil {
			t.Fatal(err)
		}
		if err := b.fill(true); err == nil || err.Error() != test.want {
			t.Errorf("columns %s: %v, want %s", test.names, err, test.want)
		}
	}
}

func TestBinaryAnswersHoldTheirType(t *testing.T) {
	for _, test := range []struct {
		out  frame.Output
		want string
	}{
		{frame.Output{Type: frame.Float32, Width: 2}, "\x00\x00\x80\x3f\x00\x00\x00\x00"},
		{frame.Output{Type: frame.Int16, Width: 2, Classes: [][]any{{int64(-2), int64(300)}, {int64(5)}}}, "\x2c\x01\x05\x00"},
		{frame.Output{Type: frame.Uint64, Width: 2, Classes: [][]any{{uint64(1), uint64(math.MaxUint64)}, {uint64(2)}}}, "\xff\xff\xff\xff\xff\xff\xff\xff\x02\x00\x00\x00\x00\x00\x00\x00"},
		{frame.Output{Type: frame.Bytes, Width: 2, Classes: [][]any{{"a", "bc"}, {true}}}, "\x02\x00\x00\x00bc\x04\x00\x00\x00True"},
		{frame.Output{Type: frame.Bool, Width: 2}, "\x01\x00"},
	} {
		got := appendRaw(nil, &frame.Result{Output: test.out, Rows: 1, Values: []float64{1, 0}}, rawLabels(test.out))
		if string(got) != test.want {
			t.Errorf("%+v: %q, want %q", test.out, got, test.want)
		}
	}
}

// FuzzInfer checks that what is read fits its shape, and that JSON that was refused as
// such is none.
func FuzzInfer(f *testing.F) {
	for _, seed := range []string{
		`{"inputs":[{"name":"x","shape":[1,2],"datatype":"FP64","data":[1,2]}]}`,
		`{"id":"1","outputs":[{"name":"output-0","parameters":{"binary_data":true}}],"inputs":[{"data":[["a"],[null]],"shape":[-1,1],"datatype":"BYTES","name":"x"}]}`,
		`{"parameters":{"content_type":"pd"},"inputs":[{"name":"n","shape":[1],"datatype":"INT8","data":[1]},{"name":"s","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":5}}]}`,
	} {
		f.Add([]byte(seed), []byte("\x01\x00\x00\x00a"), true)
	}
	f.Fuzz(func(t *testing.T, body, tail []byte, mixed bool) {
		b := &batch{schema: frame.Schema{Width: 2}}
		if mixed {
			b.schema = frame.Schema{Width: 2, Names: []string{"n", "s"}, Kinds: []frame.Kind{frame.Numbers, frame.Anything}}
		}
		c, err := b.inferRequest("m", body, tail)
		if err == nil && !json.Valid(body) {
			t.Fatalf("%q is no JSON", body)
		}
		if err == nil {
			checkFill(t, b, c.contentType == "pd")
		}
	})
}

// checkFill checks the frame of what was read.
func checkFill(t *testing.T, b *batch, dataframe bool) {
	t.Helper()
	if b.fill(dataframe) != nil {
		return
	}
	if b.x.Rows*b.x.Cols != len(b.x.Data) || b.x.Rows == 0 {
		t.Fatalf("%d x %d, but %d values", b.x.Rows, b.x.Cols, len(b.x.Data))
	}
	if b.texts && len(b.x.Texts) != len(b.x.Data) {
		t.Fatalf("%d values, but %d texts", len(b.x.Data), len(b.x.Texts))
	}
}

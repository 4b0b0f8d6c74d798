// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/testkit/eventually"
)

type panicking struct{ frame.Model }

func (panicking) Predict(func() error, frame.Method, *frame.Result, frame.Frame) error {
	panic("index out of range")
}

func TestAPanicOfAModelEndsOneRequest(t *testing.T) {
	var logged eventually.Buffer
	s := served(t, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&logged, nil)) })
	model := s.model
	s.model = panicking{model}
	const want = `500 {"error":"the model failed on this request: the log of the model server says where"}`
	for path, body := range map[string]string{
		"/v1/models/m:predict":  irisBody,
		"/v2/models/m/infer":    `{"inputs":[{"name":"x","shape":[1,4],"datatype":"FP64","data":[6.8,2.8,4.8,1.4]}]}`,
		"/v1/models/m:predict/": irisBody,
	} {
		if diff := cmp.Diff(want, s.post(path, body)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	for _, want := range []string{"index out of range", "limits_test.go", "class=SVC"} {
		if !strings.Contains(logged.String(), want) {
			t.Errorf("no %s in the log:\n%s", want, logged.String())
		}
	}
	s.model = model
	if diff := cmp.Diff(`200 {"predictions":[1,1]}`, s.post("/v1/models/m:predict", irisBody)); diff != "" {
		t.Errorf("afterwards (-want +got):\n%s", diff)
	}
	if s.memory.used != 0 {
		t.Errorf("%d bytes are still in use", s.memory.used)
	}
}

func TestLargeAnswersAreRefusedBeforeTheModelIsAsked(t *testing.T) {
	s := served(t, func(c *Config) { c.MaxBytes = 1 << 10 })
	s.model, s.output.Width = panicking{s.model}, 500
	want := `413 {"error":"The answer has 2 rows of 500 values, and may be larger than 1024 bytes: send fewer rows at once, or raise --max_request_bytes."}`
	if diff := cmp.Diff(want, s.post("/v1/models/m:predict", irisBody)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCellsOfAnswersAreNotLargerThanExpected(t *testing.T) {
	for _, v := range []float64{-math.MaxFloat64, -math.SmallestNonzeroFloat64, -1.2345678901234567e-5, -1234567890123456.7, math.MinInt64, math.NaN()} {
		for _, typ := range []frame.Type{frame.Float64, frame.Int64, frame.Bool} {
			if n := int64(len(appendValue(nil, typ, v))) + 3; n > cellBytes(nil) {
				t.Errorf("%v takes %d bytes, expected %d", v, n, cellBytes(nil))
			}
		}
	}
}

func zipped(text string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text) // into memory
	_ = w.Close()
	return b.Bytes()
}

// What is sent is short, and what it takes is not.
func TestRequestsThatTakeTooMuchMemoryAreRefused(t *testing.T) {
	s := served(t)
	s.memory.whole = 16 << 20
	const many = 3 << 20
	ones := "1" + strings.Repeat(",1", many)
	const want = `413 {"error":"The request needs more memory than the 14680064 bytes that one may take: send fewer rows at once, or raise --max_request_bytes."}`
	for name, request := range map[string][2]string{
		"one row":       {"/v1/models/m:predict", `{"instances":[[` + ones + `]]}`},
		"short rows":    {"/v1/models/m:predict", `{"instances":[[1]` + strings.Repeat(",[1]", many) + `]}`},
		"empty strings": {"/v1/models/m:predict", `{"instances":[["1"` + strings.Repeat(`,"1"`, many) + `]]}`},
		"a body":        {"/v1/models/m:predict", `{"instances":[[1]]}` + strings.Repeat(" ", 15<<20)},
		"a column":      {"/v1/models/m:predict", `{"instances":[{"a":[` + ones + `]}]}`},
		"a tensor":      {"/v2/models/m/infer", `{"inputs":[{"name":"x","shape":[1,-1],"datatype":"INT8","data":[` + ones + `]}]}`},
	} {
		if got := s.post(request[0], request[1]); got != want {
			t.Errorf("%s: %.300s\nwant %s", name, got, want)
		}
		if s.memory.used != 0 {
			t.Fatalf("%s: %d bytes are still in use", name, s.memory.used)
		}
	}
}

func TestASmallRequestDoesNotCountAsTheLargeOneBeforeIt(t *testing.T) {
	s := served(t)
	row := `[6.8,2.8,4.8,1.4]`
	if got := s.post("/v1/models/m:predict", `{"instances":[`+row+strings.Repeat(","+row, 50_000)+`]}`); !strings.HasPrefix(got, "200") {
		t.Fatal(got)
	}
	other := &share{memory: s.memory}
	if err := other.reserve(s.memory.whole); err != nil {
		t.Fatal(err)
	}
	if err := other.hold(s.memory.limit(s.memory.whole)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(`200 {"predictions":[1,1]}`, s.post("/v1/models/m:predict", irisBody)); diff != "" {
		t.Errorf("while a large one has its part (-want +got):\n%s", diff)
	}
}

func TestTensorsThatTakeTooMuchMemoryAreRefused(t *testing.T) {
	const many = 3 << 20
	message := func(datatype string, input, more []byte) []byte {
		return append(append(text(1, "m"), sub(5, text(1, "x"), text(2, datatype), input)...), more...)
	}
	binary := func(datatype string, n int) []byte {
		return fmt.Appendf(nil, `{"inputs":[{"name":"x","shape":[1,-1],"datatype":"%s","parameters":{"binary_data_size":%d}}]}`, datatype, n)
	}
	for name, read := range map[string]func(b *batch) error{
		"varints": func(b *batch) error {
			return second(b.inferMessage(message("BOOL", sub(5, sub(1, make([]byte, many))), nil)))
		},
		"texts": func(b *batch) error {
			return second(b.inferMessage(message("BYTES", sub(5, bytes.Repeat(text(8, ""), many)), nil)))
		},
		"raw contents":    func(b *batch) error { return second(b.inferMessage(message("INT8", nil, sub(7, make([]byte, many))))) },
		"binary":          func(b *batch) error { return second(b.inferRequest("m", binary("UINT8", many), make([]byte, many))) },
		"binary, strings": func(b *batch) error { return second(b.inferRequest("m", binary("BYTES", many), make([]byte, many))) },
		"columns": func(b *batch) error {
			b.inputs = make([]tensor, 4)
			for i := range b.inputs {
				b.inputs[i] = tensor{name: strconv.Itoa(i), shape: []int64{-1}, values: make([]float64, many/16)}
			}
			return b.fill(true)
		},
	} {
		b := &batch{share: share{memory: &memory{whole: 10 << 20}}}
		if err := read(b); statusOfRefusal(err) != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %v", name, err)
		}
		if most := int64(8 << 20); b.footprint() > most {
			t.Errorf("%s took %d bytes", name, b.footprint())
		}
	}
}

func TestLargeRequestsAreAnswered(t *testing.T) {
	r := start(t, iris)
	const rows = 100_000
	row := `[6.812345678901234,2.8,4.8,1.4]`
	v1 := `{"instances":[` + row + strings.Repeat(","+row, rows-1) + `]}`
	flat := strings.Trim(row, "[]")
	v2 := `{"id":"1","inputs":[{"name":"x","shape":[100000,4],"datatype":"FP64","data":[` + flat + strings.Repeat(","+flat, rows-1) + `]}]}`
	answer := "1" + strings.Repeat(",1", rows-1)
	for path, test := range map[string][2]string{
		"/v1/models/m:predict": {v1, `200 {"predictions":[` + answer + `]}`},
		"/v2/models/m/infer":   {v2, `200 {"model_name":"m","model_version":null,"id":"1","parameters":null,"outputs":[{"name":"output-0","shape":[100000],"datatype":"INT64","parameters":null,"data":[` + answer + `]}]}`},
	} {
		for name, send := range map[string]func() string{
			"with a length": func() string { return r.do(t, "POST", path, strings.NewReader(test[0])) },
			"chunked":       func() string { return r.do(t, "POST", path, io.MultiReader(strings.NewReader(test[0]))) },
			"compressed": func() string {
				return r.do(t, "POST", path, bytes.NewReader(zipped(test[0])), "Content-Encoding", "gzip")
			},
		} {
			if got := send(); got != test[1] {
				t.Errorf("%s %s: %d bytes, %.300s", path, name, len(got), got)
			}
		}
	}
	eventually.Holds(t, func(context.Context) (any, bool) {
		r.memory.mu.Lock()
		defer r.memory.mu.Unlock()
		return r.memory.used, r.memory.used == 0
	})
}

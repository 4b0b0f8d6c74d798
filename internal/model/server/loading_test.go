// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/model/frame"
)

// openModel is an open model that keeps what it was asked.
type openModel struct {
	asked  frame.Frame
	answer frame.Result
	closed bool
}

func (*openModel) Class() string        { return "Open" }
func (*openModel) Remarks() []string    { return nil }
func (*openModel) Schema() frame.Schema { return frame.Schema{Open: true} }
func (*openModel) Output(m frame.Method) (frame.Output, bool) {
	return frame.Output{Open: true}, m == frame.Predict
}

func (a *openModel) Predict(_ func() error, _ frame.Method, dst *frame.Result, x frame.Frame) error {
	a.asked = x
	a.asked.Data, a.asked.Texts = append([]float64(nil), x.Data...), append([]string(nil), x.Texts...)
	*dst = a.answer
	return nil
}

func (a *openModel) Close() error { a.closed = true; return nil }

func ln(t *testing.T) net.Listener {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestModelThatLoadsSaysWhatTakesSoLong(t *testing.T) {
	l := ln(t)
	stop := excuse(l, Config{ModelName: "m", Log: slog.New(slog.DiscardHandler)}, func() string { return "pip: Collecting numpy" })
	r := &running{address: l.Addr().String()}
	for _, path := range []string{"/v2/health/ready", "/v1/models/m"} {
		if got := r.do(t, "GET", path, nil); got != `503 {"error":"Model with name m is not ready: pip: Collecting numpy"}` {
			t.Error(got)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	stop()
}

func TestServerEndsWithTheProgramOfItsModel(t *testing.T) {
	ended := errors.New("the model's Python process ended: signal: killed")
	model := &openModel{}
	cfg := Config{ModelName: "m", Host: "127.0.0.1", NoGRPC: true, Log: slog.New(slog.DiscardHandler)}
	cfg.Load = func(_ context.Context, l Loading) (frame.Model, error) {
		l.Fail(ended)
		return model, nil
	}
	if err := Run(t.Context(), cfg); !errors.Is(err, ended) || !model.closed {
		t.Errorf("%v, closed %t", err, model.closed)
	}
	broken := errors.New("load model.py: it is broken")
	cfg.Load = func(context.Context, Loading) (frame.Model, error) { return nil, broken }
	if err := Run(t.Context(), cfg); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestOpenModelsGetRowsAsTheyAreSent(t *testing.T) {
	model := &openModel{}
	s, err := of(model, Config{ModelName: "m", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	l := ln(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Serve(ctx, l, nil) }()
	defer func() { cancel(); http.DefaultClient.CloseIdleConnections(); <-done }()
	r := &running{address: l.Addr().String()}

	texts := frame.Output{Type: frame.Bytes, Width: 1, Flat: true, Open: true, Classes: [][]any{{"a", "b"}}}
	for name, test := range map[string]struct {
		path, body string
		answer     frame.Result
		asked      frame.Frame
		want       string
	}{
		"numbers": {
			"/v1/models/m:predict", `{"instances":[[1,null],[2,true]]}`,
			frame.Result{Output: frame.Output{Type: frame.Int32, Width: 1, Flat: true, Open: true}, Rows: 2, Values: []float64{7, 8}},
			frame.Frame{Rows: 2, Cols: 2, Data: []float64{1, frame.None, 2, 1}},
			`200 {"predictions":[7,8]}`,
		},
		"strings, also of numbers, and labels": {
			"/v1/models/m:predict", `{"instances":[["6.8"]]}`,
			frame.Result{Output: texts, Rows: 1, Values: []float64{1}},
			frame.Frame{Rows: 1, Cols: 1, Data: []float64{frame.Text}, Texts: []string{"6.8"}},
			`200 {"predictions":["b"]}`,
		},
		"any columns": {
			"/v1/models/m:predict", `{"instances":[{"x":1,"y":2},{"y":4,"x":3}]}`,
			frame.Result{Output: texts, Rows: 1, Values: []float64{0}},
			frame.Frame{Rows: 2, Cols: 2, Data: []float64{1, 2, 3, 4}, Names: []string{"x", "y"}},
			`200 {"predictions":["a"]}`,
		},
		"single values": {
			"/v1/models/m:predict", `{"instances":["a","b"]}`,
			frame.Result{Output: texts, Rows: 2, Values: []float64{0, 1}},
			frame.Frame{Rows: 2, Cols: 1, Data: []float64{frame.Text, frame.Text}, Texts: []string{"a", "b"}, Flat: true},
			`200 {"predictions":["a","b"]}`,
		},
		"a tensor": {
			"/v2/models/m/infer", `{"id":"1","inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]}`,
			frame.Result{Output: texts, Rows: 2, Values: []float64{0, 1}},
			frame.Frame{Rows: 1, Cols: 2, Data: []float64{1, 2}},
			`200 {"model_name":"m","model_version":null,"id":"1","parameters":null,"outputs":[{"name":"output-0","shape":[2],"datatype":"BYTES","parameters":null,"data":["a","b"]}]}`,
		},
		"one dimension": {
			"/v2/models/m/infer", `{"id":"1","inputs":[{"name":"x","shape":[2],"datatype":"BYTES","data":["a","b"]}]}`,
			frame.Result{Output: frame.Output{Width: 2, Open: true}, Rows: 1, Values: []float64{0, 1}},
			frame.Frame{Rows: 2, Cols: 1, Data: []float64{frame.Text, frame.Text}, Texts: []string{"a", "b"}, Flat: true},
			`200 {"model_name":"m","model_version":null,"id":"1","parameters":null,"outputs":[{"name":"output-0","shape":[1,2],"datatype":"FP64","parameters":null,"data":[0.0,1.0]}]}`,
		},
	} {
		model.answer = test.answer
		if got := r.do(t, "POST", test.path, strings.NewReader(test.body)); got != test.want {
			t.Errorf("%s: %s\nwant %s", name, got, test.want)
		}
		if diff := cmp.Diff(test.asked, model.asked, sameBits); diff != "" {
			t.Errorf("%s: the model got other rows:\n%s", name, diff)
		}
	}
	if got := r.do(t, "GET", "/v2/models/m", nil); got != `200 {"name":"m","versions":null,"platform":"","inputs":[],"outputs":[]}` {
		t.Error(got)
	}
}

// sameBits compares values with None and Text among them, and takes no strings for an empty list of them.
var sameBits = cmp.Options{
	cmp.Comparer(func(a, b float64) bool {
		return frame.IsNone(a) == frame.IsNone(b) && frame.IsText(a) == frame.IsText(b) && (a == b || a != a && b != b)
	}),
	cmp.Comparer(func(a, b []string) bool { return strings.Join(a, "|") == strings.Join(b, "|") }),
}

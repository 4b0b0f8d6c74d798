// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"context"
	"encoding/binary"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/serin-dev/serin/internal/model/frame"
)

// bytesCodec sends messages as they are.
type bytesCodec struct{}

func (bytesCodec) Name() string                       { return "proto" }
func (bytesCodec) Marshal(v any) ([]byte, error)      { return v.([]byte), nil }
func (bytesCodec) Unmarshal(data []byte, v any) error { *v.(*[]byte) = bytes.Clone(data); return nil }

// dial starts a server, and returns a caller.
func dial(t *testing.T, file string, change ...func(*Config)) (caller, *Server) {
	t.Helper()
	listen := func() net.Listener {
		ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		return ln
	}
	cfg := Config{ModelName: "m", Revision: "r1", MaxBytes: 1 << 20, ModelDir: folder(t, file), Log: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&cfg)
	}
	s, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	calls, done := listen(), make(chan error)
	go func() { done <- s.Serve(ctx, listen(), calls) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return connect(t, calls.Addr().String()), s
}

// sub is a field that holds a message.
func sub(number protowire.Number, message ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), bytes.Join(message, nil))
}

func text(number protowire.Number, s string) []byte { return sub(number, []byte(s)) }

func packed(values ...uint64) (data []byte) {
	for _, v := range values {
		data = protowire.AppendVarint(data, v)
	}
	return data
}

func doubles(values ...float64) (data []byte) {
	for _, v := range values {
		data = binary.LittleEndian.AppendUint64(data, math.Float64bits(v))
	}
	return data
}

func TestCallsAnswerAsTheProtocolSays(t *testing.T) {
	call, _ := dial(t, iris)
	row := doubles(6.8, 2.8, 4.8, 1.4)
	input := func(typ string, more ...[]byte) []byte {
		return sub(5, text(1, "x"), text(2, typ), sub(3, packed(1, 4)), bytes.Join(more, nil))
	}
	answer := func(output ...[]byte) string {
		return string(bytes.Join([][]byte{text(1, "m"), text(2, "r1"), text(3, "7"), sub(5, text(1, "output-0"), text(2, "INT64"), protowire.AppendVarint(protowire.AppendTag(nil, 3, protowire.VarintType), 1), bytes.Join(output, nil))}, nil))
	}
	contents := answer(sub(5, sub(3, packed(1))))
	for name, test := range map[string]struct {
		method string
		in     [][]byte
		want   string
	}{
		"live":        {"ServerLive", nil, "\b\x01"},
		"ready":       {"ServerReady", nil, "\b\x01"},
		"model ready": {"ModelReady", [][]byte{text(1, "m")}, "\b\x01"},
		"the version": {"ModelReady", [][]byte{text(1, "m"), text(2, "r1")}, "\b\x01"},
		"loading":     {"RepositoryModelLoad", [][]byte{text(1, "m")}, "\n\x01m\x10\x01"},
		"metadata": {"ModelMetadata", [][]byte{text(1, "m")}, string(bytes.Join([][]byte{
			text(1, "m"), text(2, "r1"), sub(4, text(1, "input-0"), text(2, "FP64"), []byte("\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x18\x04")),
			sub(5, text(1, "output-0"), text(2, "INT64"), []byte("\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")),
		}, nil))},
		"contents":         {"ModelInfer", [][]byte{text(1, "m"), text(3, "7"), input("FP64", sub(5, sub(7, row)))}, contents},
		"integers":         {"ModelInfer", [][]byte{text(1, "m"), text(3, "7"), input("INT8", sub(5, sub(2, packed(7, 3, 5, 1))))}, contents},
		"strings":          {"ModelInfer", [][]byte{text(1, "m"), text(3, "7"), input("BYTES", sub(5, text(8, "6.8"), text(8, "2.8"), text(8, "4.8"), text(8, "1.4")))}, contents},
		"raw":              {"ModelInfer", [][]byte{text(1, "m"), text(3, "7"), input("FP64"), sub(7, row)}, answer(sub(4, text(1, "binary_data_size"), sub(2, []byte("\x10\x08")))) + string(sub(6, []byte("\x01\x00\x00\x00\x00\x00\x00\x00")))},
		"unknown fields":   {"ModelInfer", [][]byte{text(1, "m"), text(3, "7"), text(99, "x"), input("FP64", text(98, "y"), sub(5, sub(7, row), text(97, "z")))}, contents},
		"a named output":   {"ModelInfer", [][]byte{text(1, "m"), text(3, "7"), sub(6, text(1, "output-0")), input("FP64", sub(5, sub(7, row)))}, contents},
		"merged contents":  {"ModelInfer", [][]byte{text(1, "m"), text(3, "7"), input("FP64", sub(5, sub(7, row[:16])), sub(5, sub(7, row[16:])))}, contents},
		"the DataFrame's":  {"ModelInfer", [][]byte{text(1, "m"), text(3, "7"), sub(4, text(1, "content_type"), sub(2, text(3, "pd"))), columnOf("a", 6.8), columnOf("b", 2.8), columnOf("c", 4.8), columnOf("d", 1.4)}, contents},
		"other parameters": {"ModelInfer", [][]byte{text(1, "m"), text(3, "7"), sub(4, text(1, "n"), sub(2, []byte("\x10\x05"))), input("FP64", sub(5, sub(7, row)))}, contents},
	} {
		got, err := call(test.method, bytes.Join(test.in, nil))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if diff := cmp.Diff(test.want, string(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got, err := call("ModelInfer", bytes.Join([][]byte{text(1, "m"), text(3, "7"), input("FP64", sub(5, sub(7, row)))}, nil), grpc.UseCompressor(gzip.Name)); err != nil || string(got) != contents {
		t.Errorf("compressed: %q, %v", got, err)
	}
}

// columnOf is an input of one value.
func columnOf(name string, v float64) []byte {
	return sub(5, text(1, name), text(2, "FP64"), sub(3, packed(1)), sub(5, sub(7, doubles(v))))
}

func TestWrongCallsGetAStatus(t *testing.T) {
	call, _ := dial(t, iris)
	input := func(typ string, more ...[]byte) []byte {
		return bytes.Join([][]byte{text(1, "m"), sub(5, text(1, "x"), text(2, typ), sub(3, packed(1, 4)), bytes.Join(more, nil))}, nil)
	}
	for name, test := range map[string]struct {
		method string
		in     []byte
		code   codes.Code
		want   string
	}{
		"an unknown method":  {"ModelStreamInfer", nil, codes.Unimplemented, "The method ModelStreamInfer does not exist. There are ServerLive, ServerReady, ServerMetadata, ModelReady, ModelMetadata and ModelInfer of inference.GRPCInferenceService."},
		"an unknown model":   {"ModelReady", text(1, "100% é"), codes.NotFound, "Model with name 100% é does not exist."},
		"an unknown version": {"ModelReady", append(text(1, "m"), text(2, "r2")...), codes.NotFound, "Model with name m has no version r2: leave it out, or use r1."},
		"no model":           {"ModelInfer", nil, codes.NotFound, "Model with name  does not exist."},
		"no inputs":          {"ModelInfer", text(1, "m"), codes.InvalidArgument, "the request has no inputs"},
		"no protobuf":        {"ModelInfer", []byte("hello"), codes.InvalidArgument, "the message is not valid protobuf"},
		"no UTF-8":           {"ModelInfer", text(1, "\xff"), codes.InvalidArgument, "the message is not valid protobuf"},
		"a cut message":      {"ModelInfer", input("FP64")[:10], codes.InvalidArgument, "the message is not valid protobuf"},
		"too few features":   {"ModelInfer", bytes.Join([][]byte{text(1, "m"), sub(5, text(2, "FP64"), sub(3, packed(1, 1)), sub(5, sub(7, doubles(1))))}, nil), codes.InvalidArgument, "X has 1 features, but SVC is expecting 4 features as input."},
		"another shape":      {"ModelInfer", input("FP64", sub(5, sub(7, doubles(1)))), codes.InvalidArgument, `input "x" has 1 values, which do not fit its shape [1 4]`},
		"the wrong contents": {"ModelInfer", input("FP64", sub(5, sub(6, packed(1)))), codes.InvalidArgument, `input "x" has values in a field of contents that is not that of FP64: send raw_input_contents, or the field`},
		"INT8 too large":     {"ModelInfer", input("INT8", sub(5, sub(2, packed(300)))), codes.InvalidArgument, `input "x" holds 300, which is out of bounds for INT8`},
		"contents and raw":   {"ModelInfer", append(input("FP64", sub(5, sub(7, doubles(1)))), sub(7, doubles(1))...), codes.InvalidArgument, `contents field must not be specified when using raw_input_contents for input "x"`},
		"too many raw":       {"ModelInfer", append(input("FP64"), bytes.Repeat(sub(7, doubles(1)), 2)...), codes.InvalidArgument, "the number of inputs (1) does not match the expected number of raw input contents (2)"},
		"an unknown output":  {"ModelInfer", append(input("FP64"), sub(6, text(1, "y"))...), codes.InvalidArgument, "Unexpected inference output 'y' for model 'm': its one output is output-0"},
		"no datatype":        {"ModelInfer", append(text(1, "m"), sub(5, text(1, "x"))...), codes.InvalidArgument, `input "x" has no datatype`},
		"unloading":          {"RepositoryModelUnload", text(1, "m"), codes.FailedPrecondition, "This server does not unload its model: delete the InferenceService."},
		"a large message":    {"ModelInfer", make([]byte, 1<<20+1), codes.ResourceExhausted, "The request is larger than 1048576 bytes: send fewer rows at once, or raise --max_request_bytes."},
	} {
		_, err := call(test.method, test.in)
		if got := status.Convert(err); got.Code() != test.code || got.Message() != test.want {
			t.Errorf("%s: %v\nwant %s %s", name, err, test.code, test.want)
		}
	}
}

// To merge them one after the other would copy the first a million times.
func TestContentsInManyPartsAreReadInOneGo(t *testing.T) {
	const parts = 500_000
	part := sub(5, sub(7, doubles(1, 2)))
	b := &batch{}
	if _, err := b.inferMessage(append(text(1, "m"), sub(5, text(2, "FP64"), bytes.Repeat(part, parts))...)); err != nil {
		t.Fatal(err)
	}
	if n := len(b.inputs[0].values); n != 2*parts {
		t.Errorf("%d values, want %d", n, 2*parts)
	}
}

func TestTimeoutsOfCalls(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1H": time.Hour, "2M": 2 * time.Minute, "3S": 3 * time.Second, "100m": 100 * time.Millisecond, "5u": 5 * time.Microsecond, "99999999n": 99999999,
		"": 0, "5": 0, "S": 0, "5x": 0, "-1S": 0, "123456789S": 0,
	} {
		begun := time.Now()
		ctx, cancel := withTimeout(t.Context(), text)
		deadline, ok := ctx.Deadline()
		cancel()
		if ok != (want > 0) || ok && (deadline.Before(begun.Add(want)) || deadline.After(time.Now().Add(want))) {
			t.Errorf("%q: a deadline %t, in %v, want %v", text, ok, deadline.Sub(begun), want)
		}
	}
}

func TestACallEndsAtItsDeadline(t *testing.T) {
	ctx, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	if got := statusOf(ctx, ctx.Err()); got.code != deadlineExceeded {
		t.Errorf("status %d: %s", got.code, got.message)
	}
	ctx, cancel = context.WithCancel(t.Context())
	cancel()
	if got := statusOf(ctx, ctx.Err()); got.code != canceled {
		t.Errorf("status %d: %s", got.code, got.message)
	}
}

func TestAnswersOfEachTypeHoldTheSameInContents(t *testing.T) {
	for _, d := range datatypes {
		raw := bytes.Repeat([]byte{1, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff}, 2)
		if d.kind == texts {
			raw = appendText(appendText(nil, "a"), "bc")
		}
		if d.kind == truths {
			raw = []byte{1, 0}
		}
		want, got := tensor{typ: &d}, tensor{typ: &d}
		if err := want.raw(raw); err != nil {
			t.Fatal(err)
		}
		if err := got.contents(appendContents(nil, &d, raw)); err != nil && d.size != 2 {
			t.Fatal(err)
		}
		if d.kind == floats && d.size == 2 {
			continue // contents have no FP16
		}
		same := cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) })
		if diff := cmp.Diff([]any{want.values, want.texts}, []any{got.values, got.texts}, same); diff != "" {
			t.Errorf("%s (-raw +contents):\n%s", d.name, diff)
		}
	}
}

// TestLargeCallsUseTheSameMemory counts what a call allocates after another.
func TestLargeCallsUseTheSameMemory(t *testing.T) {
	const rows = 10_000
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // it would take the memory
	s, err := New(t.Context(), Config{ModelName: "m", ModelDir: folder(t, iris), MaxBytes: 1 << 20, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	values := bytes.Repeat(doubles(6.8, 2.8, 4.8, 1.4), rows)
	message := bytes.Join([][]byte{text(1, "m"), sub(5, text(1, "x"), text(2, "FP64"), sub(3, packed(rows, 4))), sub(7, values)}, nil)
	message = append(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message))), message...)
	ask := func() uint64 {
		q := httptest.NewRequestWithContext(t.Context(), http.MethodPost, grpcService+"ModelInfer", bytes.NewReader(message))
		q.Header.Set("Content-Type", grpcType)
		answer := discarded{http.Header{}}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		s.call(answer, q)
		runtime.ReadMemStats(&after)
		if got := answer.Header().Get("Grpc-Status"); got != "0" {
			t.Fatalf("status %s: %s", got, answer.Header().Get("Grpc-Message"))
		}
		return after.TotalAlloc - before.TotalAlloc
	}
	first, least := ask(), uint64(math.MaxUint64)
	for range 10 { // a pool forgets some on purpose under the race detector
		least = min(least, ask())
	}
	if least > first/4 {
		t.Errorf("the first call takes %d bytes, and each other at least %d", first, least)
	}
}

// discarded is an answer that nobody reads.
type discarded struct{ header http.Header }

func (d discarded) Header() http.Header         { return d.header }
func (d discarded) Write(b []byte) (int, error) { return len(b), nil }
func (d discarded) WriteHeader(int)             {}

// FuzzInferMessage checks that what is read fits its shape.
func FuzzInferMessage(f *testing.F) {
	f.Add(bytes.Join([][]byte{text(1, "m"), sub(5, text(1, "x"), text(2, "FP64"), sub(3, packed(1, 2)), sub(5, sub(7, doubles(1, 2))))}, nil), false)
	f.Add(bytes.Join([][]byte{sub(4, text(1, "content_type"), sub(2, text(3, "pd"))), columnOf("n", 1), sub(5, text(1, "s"), text(2, "BYTES"), sub(3, packed(1)), sub(5, text(8, "a")))}, nil), true)
	f.Add(bytes.Join([][]byte{sub(5, text(2, "BYTES"), sub(3, packed(1, 1))), sub(6, text(1, "output-0")), sub(7, []byte("\x01\x00\x00\x00a"))}, nil), true)
	f.Fuzz(func(t *testing.T, message []byte, mixed bool) {
		b := &batch{schema: frame.Schema{Width: 2}}
		if mixed {
			b.schema = frame.Schema{Width: 2, Names: []string{"n", "s"}, Kinds: []frame.Kind{frame.Numbers, frame.Anything}}
		}
		if r, err := b.inferMessage(message); err == nil {
			checkFill(t, b, r.contentType == "pd")
		}
	})
}

func TestATakenPortForGRPCIsNoFailure(t *testing.T) {
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ln.Close() }()
	var log strings.Builder
	cfg := Config{Host: "127.0.0.1", GRPCPort: ln.Addr().(*net.TCPAddr).Port, Log: slog.New(slog.NewTextHandler(&log, nil))}
	if got := listenGRPC(t.Context(), cfg); got != nil || !strings.Contains(log.String(), "clients of gRPC get no answer") {
		t.Errorf("it listens on %v, and logs %s", got, &log)
	}
	cfg.NoGRPC = true
	log.Reset()
	if got := listenGRPC(t.Context(), cfg); got != nil || log.Len() > 0 {
		t.Errorf("without gRPC it listens on %v, and logs %s", got, &log)
	}
}

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/valyala/fasthttp"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/serin-dev/serin/internal/model/frame"
	"github.com/serin-dev/serin/internal/testkit/hostile"
)

// requests are those that were sent to KServe's server, and servers for their models.
func requests(tb testing.TB) ([]exchange, map[string]*Server) {
	tb.Helper()
	all := slices.DeleteFunc(exchanges(tb), func(e exchange) bool { return e.Call != "" })
	servers := map[string]*Server{}
	for _, e := range all {
		if servers[e.Model] != nil {
			continue
		}
		model, err := os.ReadFile(fixtures + e.Model + ".joblib")
		if err != nil {
			tb.Fatal(err)
		}
		if servers[e.Model], err = serverOf(tb, model, func(c *Config) { c.ModelName, c.MaxBytes = e.Model, 1<<20 }); err != nil {
			tb.Fatal(err)
		}
	}
	return all, servers
}

// tensors changes the bytes after the JSON of a request.
func tensors(c *hostile.Choices, tail []byte) []byte {
	tail = slices.Clone(tail)
	for range c.Byte() % 3 {
		at := c.Below(len(tail) + 1)
		switch c.Byte() % 3 {
		case 0:
			tail = tail[:at]
		case 1:
			tail = slices.Insert(tail, at, hostile.Pick(c, [][]byte{{0}, {255, 255, 255, 255}, {0, 0, 0, 128}, {1, 0, 0, 0}, []byte("\xff\xfea")})...)
		default:
			copy(tail[at:], []byte{0, 0, 0, 0, 0, 0, 0xf8, 0x7f}) // NaN
		}
	}
	return tail
}

// headers sets those of a request, of which some are changed or left out.
func headers(c *hostile.Choices, request *fasthttp.Request, e *exchange, length int) {
	request.Header.SetMethod(cmp.Or(e.Method, http.MethodPost))
	request.SetRequestURI(strings.ReplaceAll(cmp.Or(e.Path, "/v1/models/M:predict"), "M", e.Model))
	for _, k := range slices.Sorted(maps.Keys(e.Headers)) {
		v := e.Headers[k]
		if v == "JSON" { // the length of the JSON before binary tensors
			v = strconv.Itoa(length)
		}
		if c.Byte()%8 == 0 {
			v = hostile.Pick(c, []string{"", "0", "1", "-1", "9223372036854775808", "gzip", "application/cloudevents+json", "1.0", strconv.Itoa(length + 1)})
		}
		if c.Byte()%16 > 0 {
			request.Header.Set(k, v)
		}
	}
}

// changedBody changes the JSON of a request, or nothing if that is none. It returns nil if the
// result would be too large.
func changedBody(c *hostile.Choices, body string) []byte {
	var tree map[string]any
	if c.Byte()%8 == 0 || json.Unmarshal([]byte(body), &tree) != nil || tree == nil {
		return []byte(body)
	}
	if tree = hostile.Mutated(c, tree); tree == nil {
		return nil
	}
	changed, _ := json.Marshal(tree) // which was decoded
	return changed
}

func deflated(content []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(content)
	_ = w.Close()
	return b.Bytes()
}

// tryRequest sends a request that was changed, of V1, V2 or an event. It reports whether
// there was a prediction.
func tryRequest(t *testing.T, all []exchange, servers map[string]*Server, decisions []byte) bool {
	t.Helper()
	c := hostile.NewChoices(decisions)
	e := all[c.Below(len(all))]
	tail, err := hex.DecodeString(e.Tail)
	if err != nil {
		t.Fatal(err)
	}
	body := changedBody(c, e.Body)
	if body == nil {
		return false
	}
	var request fasthttp.Request
	headers(c, &request, &e, len(body))
	body = append(body, tensors(c, tail)...)
	if c.Byte()%8 == 0 {
		request.Header.Set("Content-Encoding", "gzip")
		body = tensors(c, deflated(body))
	}
	request.SetBody(body)
	var ctx fasthttp.RequestCtx
	ctx.Init(&request, nil, nil)
	servers[e.Model].handle(&ctx)
	code, answer := ctx.Response.StatusCode(), ctx.Response.Body()
	if code == http.StatusInternalServerError {
		t.Fatalf("%s: %d for %q of %s: %s", e.Name, code, body, &request.Header, answer)
	}
	if n, err := strconv.Atoi(string(ctx.Response.Header.Peek(lengthHeader))); err == nil {
		answer = answer[:n]
	}
	if string(ctx.Response.Header.ContentType()) == "application/json" && !json.Valid(answer) {
		t.Fatalf("%s: an answer that is no JSON: %s", e.Name, answer)
	}
	return code == http.StatusOK && len(body) > 0
}

// part is a field of a message of protobuf.
type part struct {
	number protowire.Number
	kind   protowire.Type
	data   []byte // with the length
}

// split returns the fields of a message, or none if it is no message.
func split(message []byte) (all []part) {
	for len(message) > 0 {
		number, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return nil
		}
		size := protowire.ConsumeFieldValue(number, kind, message[n:])
		if size < 0 {
			return nil
		}
		all = append(all, part{number, kind, message[n : n+size]})
		message = message[n+size:]
	}
	return all
}

// disturb changes fields of a message, or of those in it.
func disturb(c *hostile.Choices, message []byte) []byte {
	all := split(message)
	if len(all) == 0 {
		return tensors(c, message)
	}
	at := c.Below(len(all))
	one := &all[at]
	switch c.Byte() % 8 {
	case 0:
		all = slices.Delete(all, at, at+1)
	case 1:
		all = slices.Insert(all, at, all[c.Below(len(all))])
	case 2:
		one.number = protowire.Number(1 + c.Below(9))
	case 3: // another type
		one.kind, one.data = protowire.VarintType, protowire.AppendVarint(nil, hostile.Pick(c, []uint64{0, 1, 2, 1 << 31, 1 << 62, 1<<64 - 1}))
	case 4: // numbers that are not packed, or other ones
		one.kind, one.data = protowire.BytesType, protowire.AppendBytes(nil, protowire.AppendVarint(nil, hostile.Pick(c, []uint64{0, 1, 3, 1 << 31, 1<<63 - 1, 1 << 63})))
	default:
		if inner, n := protowire.ConsumeBytes(one.data); one.kind == protowire.BytesType && n > 0 {
			one.data = protowire.AppendBytes(nil, disturb(c, inner))
		}
	}
	var out []byte
	for _, p := range all {
		out = append(protowire.AppendTag(out, p.number, p.kind), p.data...)
	}
	return out
}

// calls are good calls of ModelInfer.
func calls() [][]byte {
	row := sub(5, text(1, "x"), text(2, "FP64"), sub(3, packed(1, 4)), sub(5, sub(7, doubles(6.8, 2.8, 4.8, 1.4))))
	raw := sub(5, text(1, "x"), text(2, "FP32"), sub(3, packed(1, 4)))
	return [][]byte{
		bytes.Join([][]byte{text(1, "m"), text(3, "7"), row}, nil),
		bytes.Join([][]byte{text(1, "m"), raw, sub(6, text(1, "output-0")), sub(7, make([]byte, 16))}, nil),
		bytes.Join([][]byte{text(1, "m"), sub(4, text(1, "content_type"), sub(2, text(3, "pd"))), columnOf("a", 1), columnOf("b", 2), columnOf("c", 3), columnOf("d", 4)}, nil),
		bytes.Join([][]byte{text(1, "m"), sub(5, text(1, "x"), text(2, "BYTES"), sub(3, packed(1, 4)), sub(5, text(8, "1"), text(8, "2"), text(8, "nan"), text(8, "3")))}, nil),
	}
}

// tryCall makes a call whose message was changed.
func tryCall(t *testing.T, s *Server, decisions []byte) bool {
	t.Helper()
	c := hostile.NewChoices(decisions)
	message := hostile.Pick(c, calls())
	for range c.Byte() % 4 {
		message = disturb(c, message)
	}
	prefix := make([]byte, grpcPrefix)
	binary.BigEndian.PutUint32(prefix[1:], uint32(len(message)))
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, grpcService+"ModelInfer", bytes.NewReader(append(prefix, message...)))
	r.Header.Set("Content-Type", grpcType)
	w := httptest.NewRecorder()
	s.call(w, r)
	status, out := w.Header().Get("Grpc-Status"), w.Body.Bytes()
	if status == strconv.Itoa(int(internal)) || status == "0" && split(out[grpcPrefix:]) == nil {
		t.Fatalf("%q: status %s, %q", message, status, out)
	}
	return status == "0"
}

// called is the server that calls ask.
func called(tb testing.TB, servers map[string]*Server) *Server {
	tb.Helper()
	s := servers["svc-rbf"]
	if s == nil || s.schema.Kind(0) != frame.Numbers {
		tb.Fatal("no server of numbers")
	}
	s.name = "m"
	return s
}

func TestChangedRequestsGetAnAnswer(t *testing.T) {
	all, servers := requests(t)
	t.Run("HTTP", func(t *testing.T) {
		hostile.ForASecond(t, func(t *testing.T, b []byte) bool { t.Helper(); return tryRequest(t, all, servers, b) })
	})
	t.Run("gRPC", func(t *testing.T) {
		s := called(t, servers)
		hostile.ForASecond(t, func(t *testing.T, b []byte) bool { t.Helper(); return tryCall(t, s, b) })
	})
}

// FuzzRequests changes requests of V1, V2 and CloudEvents.
func FuzzRequests(f *testing.F) {
	all, servers := requests(f)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, decisions []byte) { tryRequest(t, all, servers, decisions) })
}

// FuzzCalls changes calls of gRPC.
func FuzzCalls(f *testing.F) {
	_, servers := requests(f)
	s := called(f, servers)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, decisions []byte) { tryCall(t, s, decisions) })
}

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"compress/gzip"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/status"

	"github.com/serin-dev/serin/internal/testkit/golden"
)

// exchange is a request, and what KServe's Python server answers to it.
type exchange struct {
	Name    string            `json:"name"`
	Model   string            `json:"model"`
	Method  string            `json:"method,omitempty"`
	Path    string            `json:"path,omitempty"`
	Call    string            `json:"call,omitempty"` // gRPC; the body is the message
	Body    string            `json:"body,omitempty"`
	Gzip    bool              `json:"gzip,omitempty"` // compresses the body
	Tail    string            `json:"tail,omitempty"` // binary tensors after the body, in hexadecimal
	Headers map[string]string `json:"headers,omitempty"`
	Why     string            `json:"why,omitempty"`   // the difference, as the documentation lists it
	Serin   string            `json:"serin,omitempty"` // what is answered then
	KServe  reply             `json:"kserve"`
}

type reply struct {
	Status int    `json:"status"` // of HTTP, or the code of gRPC
	Type   string `json:"type,omitempty"`
	Body   string `json:"body,omitempty"`
	Tail   string `json:"tail,omitempty"`
	Source string `json:"source,omitempty"`

	headers http.Header
}

const exchangeFile = "testdata/kserve.json"

func exchanges(tb testing.TB) (list []exchange) {
	tb.Helper()
	data, err := os.ReadFile(exchangeFile)
	if err == nil {
		err = json.Unmarshal(data, &list)
	}
	if err != nil {
		tb.Fatal(err)
	}
	return list
}

// What KServe answers is answered in the same way. What it refuses is refused with
// a status that blames the client. The documentation lists all other differences.
func TestAnswersAreThoseOfKServe(t *testing.T) {
	list := exchanges(t)
	docs, err := os.ReadFile("../../../docs/reference/modelserver.md")
	if err != nil {
		t.Fatal(err)
	}
	ask := ours(t)
	for _, e := range list {
		got := ask(t, e)
		if e.Why == "" && e.refused() && got.refused(e.Call) && (e.KServe.Status == http.StatusInternalServerError || e.KServe.Status == got.Status || e.Call != "") {
			continue
		}
		want := e.KServe.describe(e.Call)
		if e.Why != "" {
			want, got.Type, got.Source = e.Serin, "", ""
		}
		if diff := cmp.Diff(want, got.describe(e.Call)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", e.Name, diff)
		}
		if !strings.Contains(string(docs), e.Why) {
			t.Errorf("%s: docs/reference/modelserver.md does not say that %s", e.Name, e.Why)
		}
	}
}

// KServe's server runs in the virtual environment that $SERIN_PYTHON names: see
// tools/kserve-python.sh. With -update its answers become those of the file.
func TestKServeAnswersAsRecorded(t *testing.T) {
	list := exchanges(t)
	ask := theirs(t, nil, modelsOf(list)...)
	for i, e := range list {
		if got := ask(t, e); got.describe(e.Call) != e.KServe.describe(e.Call) {
			list[i].KServe = got // ids and times differ each time: they change with the rest only
		}
	}
	golden.File(t, exchangeFile, encodeExchanges(t, list))
}

func modelsOf(list []exchange) (models []string) {
	for _, e := range list {
		if !strings.Contains(strings.Join(models, " ")+" ", e.Model+" ") {
			models = append(models, e.Model)
		}
	}
	return models
}

func encodeExchanges(t *testing.T, list []exchange) string {
	t.Helper()
	lines := make([]string, 0, len(list))
	for _, e := range list {
		var line strings.Builder
		encoder := json.NewEncoder(&line)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(e); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, strings.TrimSuffix(line.String(), "\n"))
	}
	return "[\n" + strings.Join(lines, ",\n") + "\n]\n"
}

// refused reports whether KServe refuses the request. It says 500 or INTERNAL for many.
func (e *exchange) refused() bool {
	return e.KServe.refused(e.Call) || e.KServe.Status == http.StatusInternalServerError || e.Call != "" && e.KServe.Status == int(internal)
}

// refused reports whether the status blames the client.
func (r reply) refused(call string) bool {
	if call != "" {
		return r.Status == int(invalidArgument) || r.Status == int(notFound) || r.Status == int(precondition)
	}
	return r.Status >= http.StatusBadRequest && r.Status < http.StatusInternalServerError
}

// post sends the request of an exchange over HTTP.
func (e *exchange) post(t *testing.T, address string) reply {
	t.Helper()
	method, path := e.Method, e.Path
	if method == "" {
		method = http.MethodPost
	}
	if path == "" {
		path = "/v1/models/M:predict"
	}
	tail, err := hex.DecodeString(e.Tail)
	if err != nil {
		t.Fatal(err)
	}
	body := bytes.NewBufferString(e.Body + string(tail))
	if e.Gzip {
		var packed bytes.Buffer
		zip := gzip.NewWriter(&packed)
		if _, err := body.WriteTo(zip); err != nil || zip.Close() != nil {
			t.Fatal("gzip fails")
		}
		body = &packed
	}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+strings.ReplaceAll(path, "M", e.Model), body)
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range e.Headers {
		if v == "JSON" { // the length of the JSON before binary tensors
			v = strconv.Itoa(len(e.Body))
		}
		req.Header.Set(k, v)
	}
	req.Close = true                                  // KServe resets the connection after some errors
	resp, err := http.DefaultTransport.RoundTrip(req) // follows no redirects
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	r := reply{Status: resp.StatusCode, Type: resp.Header.Get("Content-Type"), Body: string(data), Source: resp.Header.Get("Ce-Source"), headers: resp.Header}
	if n, err := strconv.Atoi(resp.Header.Get(lengthHeader)); err == nil {
		r.Body, r.Tail = r.Body[:n], hex.EncodeToString(data[n:])
	}
	return r
}

// invoke makes the call of an exchange.
func (e *exchange) invoke(t *testing.T, call caller) reply {
	t.Helper()
	out, err := call(e.Call, encodeMessage(t, e.Call+"Request", strings.ReplaceAll(e.Body, `"M"`, strconv.Quote(e.Model))))
	if err != nil {
		return reply{Status: int(status.Code(err)), Body: status.Convert(err).Message()}
	}
	return reply{Body: decodeMessage(t, e.Call+"Response", out)}
}

// describe renders an answer without what is never the same twice. Of an error
// only the status counts.
func (r reply) describe(call string) string {
	var object map[string]any
	if call == "" && r.Status != http.StatusOK || call != "" && r.Status != 0 || json.Unmarshal([]byte(r.Body), &object) != nil {
		return strings.TrimSpace(fmt.Sprint(r.Status, " ", r.Type))
	}
	for _, random := range []string{"id", "time", "version"} {
		if text, ok := object[random].(string); ok && (len(text) >= len("2026-01-01T00:00:00Z") || random == "version") {
			object[random] = "*"
		}
	}
	text, err := json.Marshal(object)
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s%s %s %s", r.Status, text, r.Tail, r.Type, r.Source))
}

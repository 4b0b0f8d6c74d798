// SPDX-License-Identifier: Apache-2.0

package server

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// exchange is a request and what KServe's Python server answered to it, recorded
// by testdata/record.py.
type exchange struct {
	Name, Model, Method, Path, Body string
	Tail                            string // binary tensors after the body, in hexadecimal
	Headers                         map[string]string
	KServe                          struct {
		Status                   int
		Type, Body, Tail, Source string
	}
	Serin string // what is answered instead, if something else
	Why   string // the difference, as the documentation lists it
}

// What KServe answers is answered in the same way. What it refuses is refused with
// a status that blames the client. The documentation lists all other differences.
func TestAnswersAreThoseOfKServe(t *testing.T) {
	data, err := os.ReadFile("testdata/kserve.json")
	if err != nil {
		t.Fatal(err)
	}
	var exchanges []exchange
	if err := json.Unmarshal(data, &exchanges); err != nil {
		t.Fatal(err)
	}
	docs, err := os.ReadFile("../../../docs/reference/modelserver.md")
	if err != nil {
		t.Fatal(err)
	}
	servers := map[string]*running{}
	for _, e := range exchanges {
		if servers[e.Model] == nil {
			servers[e.Model] = start(t, fixtures+e.Model+".joblib", func(c *Config) { c.ModelName = e.Model })
		}
		got := servers[e.Model].replay(t, e)
		refused := e.KServe.Status >= http.StatusBadRequest && e.KServe.Status <= http.StatusInternalServerError
		if e.Why == "" && refused && strings.HasPrefix(got, "4") {
			continue
		}
		if diff := cmp.Diff(e.expected(), got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", e.Name, diff)
		}
		if !strings.Contains(string(docs), e.Why) {
			t.Errorf("%s: docs/reference/modelserver.md does not say that %s", e.Name, e.Why)
		}
	}
}

// expected returns the answer "STATUS BODY", and what the headers say about it.
func (e *exchange) expected() string {
	if e.Why != "" {
		return e.Serin
	}
	return describe(e.KServe.Status, e.KServe.Body) + e.KServe.Tail + " " + e.KServe.Type + " " + e.KServe.Source
}

func (r *running) replay(t *testing.T, e exchange) string {
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
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.address+strings.ReplaceAll(path, "M", e.Model), strings.NewReader(e.Body+string(tail)))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range e.Headers {
		if v == "JSON" { // the length of the JSON before binary tensors
			v = strconv.Itoa(len(e.Body))
		}
		req.Header.Set(k, v)
	}
	resp, body := send(t, req)
	binary := ""
	if n, err := strconv.Atoi(resp.Header.Get(lengthHeader)); err == nil {
		body, binary = body[:n], hex.EncodeToString([]byte(body[n:]))
	}
	if e.Why != "" {
		return describe(resp.StatusCode, body) + binary
	}
	return describe(resp.StatusCode, body) + binary + " " + resp.Header.Get("Content-Type") + " " + resp.Header.Get("Ce-Source")
}

// describe renders an answer without what is never the same twice. Of an error
// only the status counts.
func describe(status int, body string) string {
	var object map[string]any
	if status != http.StatusOK || json.Unmarshal([]byte(body), &object) != nil {
		return fmt.Sprint(status)
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
	return fmt.Sprintf("%d %s", status, text)
}

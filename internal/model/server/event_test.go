// SPDX-License-Identifier: Apache-2.0

package server

import (
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const (
	oneRow    = `{"instances":[[6.8,2.8,4.8,1.4]]}`
	oneAnswer = `{"predictions":[1]}`
	oneEvent  = `{"specversion":"1.0","id":"i","source":"/s","type":"t","time":"2026-01-01T00:00:00Z","data":` + oneRow + `}`
)

// binaryHeaders are those of a binary event, with changes.
func binaryHeaders(change ...string) map[string]string {
	h := map[string]string{"Content-Type": "application/json", "Ce-Specversion": "1.0", "Ce-Id": "i", "Ce-Source": "/s", "Ce-Type": "t"}
	for i := 0; i < len(change); i += 2 {
		h[change[i]] = change[i+1]
	}
	return h
}

// post asks for a prediction and returns the answer, whose body is read.
func (r *running) post(t *testing.T, body string, headers map[string]string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.address+"/v1/models/m:predict", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for k, v := range headers {
		if v != "-" { // the test wants none
			req.Header.Set(k, v)
		}
	}
	return send(t, req)
}

// send sends a request and returns the answer and its body.
func send(t *testing.T, req *http.Request) (*http.Response, string) {
	t.Helper()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestEventsAreAnsweredByEventsOfTheirMode(t *testing.T) {
	r := start(t, iris)
	type answer struct{ Mode, ContentType, Data string }
	plain := answer{"no event", "application/json", oneAnswer}
	binary := answer{"binary", "application/json", oneAnswer}
	structured := answer{"structured", "application/cloudevents+json", oneAnswer}
	for name, test := range map[string]struct {
		body    string
		headers map[string]string
		want    answer
	}{
		"binary":                          {oneRow, binaryHeaders(), binary},
		"binary, version 0.3":             {oneRow, binaryHeaders("Ce-Specversion", "0.3"), binary},
		"binary, without a content type":  {oneRow, binaryHeaders("Content-Type", "-"), binary},
		"binary, with more attributes":    {oneRow, binaryHeaders("Ce-Time", "x", "Ce-Subject", "y"), binary},
		"binary, with an empty id":        {oneRow, binaryHeaders("Ce-Id", ""), binary},
		"binary, without an id":           {oneRow, binaryHeaders("Ce-Id", "-"), plain},
		"binary, without a version":       {oneRow, binaryHeaders("Ce-Specversion", "-"), plain},
		"structured":                      {oneEvent, map[string]string{"Content-Type": "application/cloudevents+json"}, structured},
		"structured, with a charset":      {oneEvent, map[string]string{"Content-Type": "application/CloudEvents+json; charset=utf-8"}, structured},
		"structured, without its type":    {oneEvent, map[string]string{"Content-Type": "application/json"}, plain},
		"structured, with other rows":     {`{"instances":[["x"]],"inputs":3,` + oneEvent[1:], map[string]string{"Content-Type": "application/cloudevents+json"}, structured},
		"structured, data first":          {`{"data":` + oneRow + `,"time":0,"type":"t","source":[],"id":1,"specversion":null}`, nil, plain},
		"the type of an event, only rows": {oneRow, map[string]string{"Content-Type": "application/cloudevents+json"}, structured},
	} {
		resp, body := r.post(t, test.body, test.headers)
		if resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %d %s", name, resp.StatusCode, body)
			continue
		}
		got := answer{"no event", resp.Header.Get("Content-Type"), body}
		if event := attributes(t, resp, &got.Data); event != nil {
			got.Mode = "structured"
			if resp.Header.Get("Ce-Id") != "" {
				got.Mode = "binary"
			}
			checkAttributes(t, event)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// attributes returns those of an answer, or nil if it is no event. It replaces the
// body of a structured event by its data.
func attributes(t *testing.T, resp *http.Response, body *string) map[string]string {
	t.Helper()
	event := map[string]string{}
	for k, v := range resp.Header {
		if name, ok := strings.CutPrefix(k, "Ce-"); ok {
			event[strings.ToLower(name)] = v[0]
		}
	}
	if len(event) > 0 || resp.Header.Get("Content-Type") != "application/cloudevents+json" {
		if len(event) == 0 {
			return nil
		}
		return event
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(*body), &members); err != nil {
		t.Fatal(err)
	}
	*body = string(members["data"])
	delete(members, "data")
	for k, v := range members {
		event[k] = strings.Trim(string(v), `"`)
	}
	return event
}

func checkAttributes(t *testing.T, event map[string]string) {
	t.Helper()
	if id := event["id"]; !regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("id %q is no random UUID", id)
	}
	if _, err := time.Parse(time.RFC3339, event["time"]); err != nil {
		t.Error(err)
	}
	delete(event, "id")
	delete(event, "time")
	want := map[string]string{"specversion": "1.0", "source": "io.kserve.inference.m", "type": "io.kserve.inference.response"}
	if diff := cmp.Diff(want, event); diff != "" {
		t.Errorf("attributes (-want +got):\n%s", diff)
	}
}

func TestWrongEventsAreRefused(t *testing.T) {
	r := start(t, iris)
	structured := map[string]string{"Content-Type": "application/cloudevents+json"}
	for name, test := range map[string]struct {
		body    string
		headers map[string]string
		want    string
	}{
		"an unknown version":    {oneRow, binaryHeaders("Ce-Specversion", "9"), `{"error":"Cloud Event Exceptions: Found invalid specversion 9"}`},
		"both modes":            {oneRow, binaryHeaders("Content-Type", "application/cloudevents+json"), `{"error":"Cloud Event Exceptions: the headers are those of a binary event, but Content-Type is that of a structured one"}`},
		"no JSON":               {"hello", binaryHeaders(), `{"error":"Failed to decode or parse binary json cloudevent: expected a value (byte 0)"}`},
		"no time":               {strings.Replace(oneEvent, "time", "tame", 1), structured, `{"error":"'instances'"}`},
		"data that is a string": {strings.Replace(oneEvent, oneRow, `"x"`, 1), structured, `{"error":"Unrecognized request format: not a JSON object"}`},
		"an event in an event":  {strings.Replace(oneEvent, oneRow, oneEvent, 1), structured, `{"error":"'instances'"}`},
		"rows that do not fit":  {strings.Replace(oneEvent, "1.4", "1.4,5", 1), structured, `{"error":"X has 5 features, but SVC is expecting 4 features as input."}`},
		"data after the event":  {oneEvent + "{}", structured, `{"error":"Unrecognized request format: unexpected data after the JSON value (byte 126)"}`},
	} {
		resp, body := r.post(t, test.body, test.headers)
		if diff := cmp.Diff("400 "+test.want, resp.Status[:4]+body); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if resp.Header.Get("Ce-Id") != "" || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s: an event: %v", name, resp.Header)
		}
	}
}

// A structured event of V2 is the request itself: it has no attributes to merge.
func TestMergedAttributesOfV2(t *testing.T) {
	r := start(t, iris, func(c *Config) { c.Events.Merge = true })
	const body = `{"id":"42","inputs":[{"name":"x","shape":[1,4],"datatype":"FP64","data":[6.8,2.8,4.8,1.4]}]}`
	for _, headers := range []map[string]string{
		{"Content-Type": "application/cloudevents+json"},
		binaryHeaders("Ce-Subject", "iris"),
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+r.address+"/v2/models/m/infer", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range headers {
			req.Header.Set(k, v)
		}
		resp, got := send(t, req)
		want := headers["Ce-Subject"]
		if resp.StatusCode != http.StatusOK || resp.Header.Get("Ce-Subject") != want || resp.Header.Get("Ce-Id") == "i" || strings.Contains(got, `"inputs"`) {
			t.Errorf("%v: %d %v %s", headers, resp.StatusCode, resp.Header, got)
		}
	}
}

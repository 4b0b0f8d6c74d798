// SPDX-License-Identifier: Apache-2.0

package report

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// serve returns the URL of a router that sends these lines, and hangs up or
// waits for the end of the request.
func serve(t *testing.T, hangUp bool, lines ...string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, line := range lines {
			_, _ = io.WriteString(w, line+"\n")
		}
		_ = http.NewResponseController(w).Flush()
		if !hangUp {
			<-r.Context().Done()
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

const answered = `{"revisions":[
{"namespace":"n","revision":"a","inFlight":1,"seconds":2.5,"requests":4,"answers":{"count":3,"errors":1,"durations":[{"seconds":0.1,"count":2}]}},
{"namespace":"n","revision":"idle","inFlight":0,"seconds":0,"requests":0,"answers":{"count":0,"errors":0,"durations":null}},
{"namespace":"other","revision":"a","inFlight":0,"seconds":0,"requests":9,"answers":{"count":9,"errors":9,"durations":null}}]}`

func TestReadReturnsTheAnswersOfANamespace(t *testing.T) {
	got, err := Read(t.Context(), http.DefaultClient, serve(t, true, answered), "n")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]Answers{"a": {Count: 3, Errors: 1, Durations: []Bucket{{0.1, 2}}}, "idle": {}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestReadReusesTheConnection(t *testing.T) {
	var from []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		from = append(from, r.RemoteAddr)
		_ = Line{}.Encode(w)
		_ = http.NewResponseController(w).Flush()
	}))
	t.Cleanup(server.Close)
	for range 2 {
		if _, err := Read(t.Context(), server.Client(), server.URL, "n"); err != nil {
			t.Fatal(err)
		}
	}
	if from[0] != from[1] {
		t.Errorf("connections from %v", from)
	}
}

// A router of an earlier version ignores the namespace and streams the load: what
// it does not report is an error, not zero. Without requests, only the second line
// shows that it is a stream.
func TestReadFromAnEarlierVersion(t *testing.T) {
	const (
		load = `{"revisions":[{"namespace":"other","revision":"b","inFlight":3,"seconds":12.25,"requests":40}]}`
		none = `{"revisions":[]}`
	)
	for name, lines := range map[string][]string{"with requests": {load}, "without requests": {none, none}} {
		got, err := Read(t.Context(), http.DefaultClient, serve(t, false, lines...), "n")
		if err == nil || !strings.Contains(err.Error(), "is of an earlier version") || len(got) != 0 {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
}

func TestFollowReadsLinesOfAnyVersion(t *testing.T) {
	url := serve(t, true, answered, `{"revisions":[{"namespace":"n","revision":"b","inFlight":1,"later":{"x":[1]}}],"more":1}`)
	var names []string
	err := Follow(t.Context(), http.DefaultClient, strings.TrimPrefix(url, "http://"), func(l Line) {
		for _, r := range l.Revisions {
			names = append(names, r.Name)
		}
	})
	if diff := cmp.Diff([]string{"a", "idle", "a", "b"}, names); diff != "" {
		t.Error(diff)
	}
	if err == nil || !strings.Contains(err.Error(), "EOF") {
		t.Errorf("the end is %v", err)
	}
}

func FuzzLine(f *testing.F) {
	f.Add([]byte(answered))
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var l, again Line
		if json.Unmarshal(text, &l) != nil {
			return
		}
		var out bytes.Buffer
		if err := l.Encode(&out); err != nil {
			t.Fatal(err)
		}
		if l.Revisions == nil {
			l.Revisions = []Revision{}
		}
		if err := json.Unmarshal(out.Bytes(), &again); err != nil || !cmp.Equal(l, again) {
			t.Errorf("%+v is read as %+v, %v", l, again, err)
		}
	})
}

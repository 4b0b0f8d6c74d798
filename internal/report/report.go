// SPDX-License-Identifier: Apache-2.0

// Package report is what a router reports about the requests of its revisions:
// the type, its encoding and its readers. The autoscaler follows the load of all
// revisions (Follow), and the command line reads what one namespace's revisions
// have answered (Read).
//
// All numbers count from the start of the router, so that a reader may come
// late, miss a line or read one twice. What an earlier version of the router
// does not report is nil, never zero.
package report

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

const (
	// path is where a router's admin listener serves the report, and namespaceKey
	// the parameter that asks for the answers of one namespace.
	path         = "/load"
	namespaceKey = "answers"
	// Interval is how often a stream has a line, also when nothing changed.
	Interval = time.Second
	// silence is how long a stream may have none until it counts as broken.
	silence = 5 * Interval
	// maxLine bounds a line: tens of thousands of revisions.
	maxLine = 16 << 20
)

// Pattern is the pattern of the report for an http.ServeMux.
const Pattern = "GET " + path

// Line is one line of JSON.
type Line struct {
	Revisions []Revision `json:"revisions"`
}

// Revision is what the router knows of one revision. Its numbers start from zero
// again after it had neither traffic nor Pods nor requests.
type Revision struct {
	Namespace string  `json:"namespace"`
	Name      string  `json:"revision"`
	InFlight  int     `json:"inFlight"` // begun and not ended, waiting ones included
	Seconds   float64 `json:"seconds"`  // request-seconds: the integral of InFlight over time
	Requests  int     `json:"requests"` // begun
	// Answers is nil in a stream, and where the router does not report it.
	Answers *Answers `json:"answers,omitempty"`
}

// Answers counts the requests that have ended.
type Answers struct {
	Count     int64    `json:"count"`
	Errors    int64    `json:"errors"`    // with a status of 5xx
	Durations []Bucket `json:"durations"` // shortest first; each includes those before
}

// Bucket counts the requests that took at most so many seconds.
type Bucket struct {
	Seconds float64 `json:"seconds"`
	Count   int64   `json:"count"`
}

// Encode writes the line.
func (l Line) Encode(w io.Writer) error {
	if l.Revisions == nil {
		l.Revisions = []Revision{} // not null
	}
	return json.NewEncoder(w).Encode(l)
}

// Namespace returns the namespace whose answers a request asks for; empty means
// that it asks for the stream.
func Namespace(r *http.Request) string { return r.URL.Query().Get(namespaceKey) }

// Follow calls each with every line of the router at address, host:port, until
// ctx ends or the router sends none for too long.
func Follow(ctx context.Context, client *http.Client, address string, each func(Line)) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(silence, func() { cancel(fmt.Errorf("no line for %v", silence)) })
	defer watchdog.Stop()
	return lines(ctx, client, "http://"+address+path, func(l Line) bool {
		watchdog.Reset(silence)
		each(l)
		return true
	})
}

// Read returns what the revisions of a namespace have answered, by name. The
// router's admin listener is at base, a URL without a path.
func Read(ctx context.Context, client *http.Client, base, namespace string) (map[string]Answers, error) {
	out := map[string]Answers{}
	where := base + path + "?" + url.Values{namespaceKey: {namespace}}.Encode()
	var earlier error
	read := 0
	err := lines(ctx, client, where, func(l Line) bool {
		read++
		stream := read > 1 // an earlier version ignores the namespace
		for _, r := range l.Revisions {
			if stream = stream || r.Answers == nil; !stream && r.Namespace == namespace {
				out[r.Name] = *r.Answers
			}
		}
		if stream {
			earlier = fmt.Errorf("%s is of an earlier version, which reports no answers: upgrade Serin in the cluster", base)
		}
		return !stream // read on to the end, which a stream has not
	})
	if read > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	return out, errors.Join(err, earlier)
}

// lines calls each with one line after the other for as long as it returns true.
func lines(ctx context.Context, client *http.Client, where string, each func(Line) bool) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where, nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", where, res.Status)
	}
	body := &io.LimitedReader{R: res.Body}
	decoder := json.NewDecoder(body)
	for more := true; more; {
		body.N = maxLine
		var l Line
		if err := decoder.Decode(&l); err != nil {
			return fmt.Errorf("read %s: %w", where, err)
		}
		more = each(l)
	}
	return nil
}

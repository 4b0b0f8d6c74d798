// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// generate loads a handler until it was asked n times.
func generate(t *testing.T, n int64, handler http.HandlerFunc) []answer {
	t.Helper()
	ctx, enough := context.WithTimeout(t.Context(), 30*time.Second)
	defer enough()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body, err := io.ReadAll(r.Body); err != nil || string(body) != question {
			t.Errorf("asked %s (%v)", body, err)
		}
		w.Header().Set("Serin-Revision", "r")
		handler(w, r)
		if asked.Add(1) == n {
			enough()
		}
	}))
	defer server.Close()
	g := newGenerator(strings.TrimPrefix(server.URL, "http://"), 1000)
	g.run(ctx)
	if ctx.Err() != context.Canceled {
		t.Fatalf("only %d requests arrived", asked.Load())
	}
	return g.answers
}

func TestASlowAnswerDelaysNoOther(t *testing.T) {
	var first atomic.Bool
	release := make(chan struct{})
	var after atomic.Int64
	answers := generate(t, 50, func(http.ResponseWriter, *http.Request) {
		if first.CompareAndSwap(false, true) {
			<-release
		} else if after.Add(1) == 40 {
			close(release)
		}
	})
	var slowest time.Duration
	for _, a := range answers {
		if a.failure != "" || a.revision != "r" {
			t.Errorf("%+v", a)
		}
		slowest = max(slowest, a.done.Sub(a.due))
	}
	if slowest < 30*time.Millisecond { // 40 others were due meanwhile, 1 ms apart
		t.Errorf("the slowest took %s", slowest)
	}
}

func TestEveryKindOfFailureCounts(t *testing.T) {
	for name, handler := range map[string]http.HandlerFunc{
		"503 Service Unavailable": func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) },
		"EOF":                     func(w http.ResponseWriter, _ *http.Request) { hangUp(w, "") },
		"unexpected EOF": func(w http.ResponseWriter, _ *http.Request) {
			hangUp(w, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
		},
		"does not say which revision": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Del("Serin-Revision")
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, a := range generate(t, 3, handler) {
				if !strings.Contains(a.failure, name) {
					t.Errorf("%+v", a)
				}
			}
		})
	}
}

// hangUp writes and closes the connection.
func hangUp(w http.ResponseWriter, text string) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(err)
	}
	_, _ = io.WriteString(c, text) // what is missing is the test
	_ = c.Close()
}

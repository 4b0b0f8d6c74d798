// SPDX-License-Identifier: Apache-2.0

package proxy_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/dataplane/proxy"
)

// mirror answers with the headers it got.
func mirror(got *http.Header) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		*got = r.Header.Clone()
		(*got).Set("Host", r.Host)
		w.Header().Set("Connection", "X-Private")
		w.Header().Set("X-Private", "for the next hop only")
		w.Header().Set("Keep-Alive", "timeout=5")
		w.Header().Set(proxy.RevisionHeader, "a lie")
		w.Header().Add("Set-Cookie", "a=1")
		w.Header().Add("Set-Cookie", "a=2; Path=/")
		w.Header().Set("Server", "sklearn")
		w.Header().Set("Date", "Mon, 23 Nov 2026 00:00:00 GMT")
		w.WriteHeader(http.StatusTeapot)
	}
}

func TestHeaders(t *testing.T) {
	for _, c := range []struct {
		name      string
		forwarded bool
		send      []string
		want      http.Header
	}{
		{
			name: "hop-by-hop fields end here, all else arrives",
			send: []string{
				"Connection: keep-alive, X-Hop", "Keep-Alive: 5", "Proxy-Connection: x", "Proxy-Authorization: x", "TE: trailers", "X-Hop: x",
				"cookie: a=1;b", "User-Agent: wrk", "x-lower: 1", "X-Lower: 2", "Content-Type: a/b", "Authorization: Bearer x", "X-Forwarded-For: 1.2.3.4",
			},
			want: http.Header{
				"Host": {"x.example.com"}, "Cookie": {"a=1;b"}, "User-Agent": {"wrk"}, "X-Lower": {"1", "2"}, "Content-Type": {"a/b"},
				"Authorization": {"Bearer x"}, "X-Forwarded-For": {"1.2.3.4"},
			},
		},
		{
			name:      "the first proxy tells who asked for what",
			forwarded: true,
			want: http.Header{
				"Host": {"x.example.com"}, "X-Forwarded-For": {"127.0.0.1"}, "X-Forwarded-Proto": {"http"}, "X-Forwarded-Host": {"x.example.com"},
			},
		},
		{
			name:      "a later proxy adds itself and keeps the rest",
			forwarded: true,
			send:      []string{"X-Forwarded-For: 1.2.3.4", "X-Forwarded-For: 5.6.7.8", "X-Forwarded-Proto: https", "X-Forwarded-Host: y"},
			want: http.Header{
				"Host": {"x.example.com"}, "X-Forwarded-For": {"1.2.3.4, 5.6.7.8, 127.0.0.1"}, "X-Forwarded-Proto": {"https"}, "X-Forwarded-Host": {"y"},
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got http.Header
			policy := &fixed{targets: []proxy.Target{backend(t, mirror(&got))}}
			addr, _ := start(t, proxy.Config{Policy: policy, Forwarded: c.forwarded})
			conn, br := raw(t, addr)
			response, _ := ask(t, conn, br, "GET / HTTP/1.1\r\nHost: x.example.com\r\n"+lines(c.send)+"\r\n")
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("the target got: %s", diff)
			}
			want := http.Header{
				"Content-Length": {"0"}, "Date": {"Mon, 23 Nov 2026 00:00:00 GMT"}, "Server": {"sklearn"},
				"Set-Cookie": {"a=1", "a=2; Path=/"}, "Serin-Revision": {"iris-predictor-00001"},
			}
			if diff := cmp.Diff(want, response.Header); diff != "" || response.StatusCode != http.StatusTeapot {
				t.Errorf("the client got %s: %s", response.Status, diff)
			}
		})
	}
}

func lines(fields []string) string {
	if len(fields) == 0 {
		return ""
	}
	return strings.Join(fields, "\r\n") + "\r\n"
}

func TestInvalidRequestsAreRefused(t *testing.T) {
	policy := &fixed{targets: []proxy.Target{backend(t, echo)}}
	addr, _ := start(t, proxy.Config{Policy: policy})
	for _, c := range []struct {
		name, send string
		status     int
		body       string
	}{
		{"no HTTP at all", "hello\r\n\r\n", 400, "the request is not valid HTTP/1.1"},
		{"no host", "GET / HTTP/1.1\r\n\r\n", 400, "the request is not valid HTTP/1.1"},
		{"two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "the request is not valid HTTP/1.1"},
		{"two lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx", 400, "the request is not valid HTTP/1.1"},
		{"one length twice", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400, "the request is not valid HTTP/1.1"},
		{"a length and chunks", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "the request is not valid HTTP/1.1"},
		{"a list of lengths", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\nx", 400, "the request is not valid HTTP/1.1"},
		{"an endless length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nx", 400, "the request is not valid HTTP/1.1"},
		{"a signed length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\nx", 400, "the request is not valid HTTP/1.1"},
		{"a strange encoding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 400, "the request is not valid HTTP/1.1"},
		{"two encodings", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "the request is not valid HTTP/1.1"},
		{"chunks of an old client", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400, "the request is not valid HTTP/1.1"},
		{"a continued line", "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400, "the request is not valid HTTP/1.1"},
		{"a line without a colon", "GET / HTTP/1.1\r\nHost: a\r\nX\r\n\r\n", 400, "the request is not valid HTTP/1.1"},
		{"a header without a name", "GET / HTTP/1.1\r\nHost: a\r\n: x\r\n\r\n", 400, "the request is not valid HTTP/1.1"},
		{"a control character", "GET / HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n", 400, "the request is not valid HTTP/1.1"},
		{"half a line's end", "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n", 400, "the request is not valid HTTP/1.1"},
		{"a space in the path", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400, "the request is not valid HTTP/1.1"},
		{"a space before the colon", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 1\r\n\r\nx", 400, "the request is not valid HTTP/1.1"},
		{"a huge header", "GET / HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", 20000) + "\r\n\r\n", 431, "the request has more than 16384 bytes or 256 lines of headers"},
		{"many headers", "GET / HTTP/1.1\r\nHost: a\r\n" + strings.Repeat("X:\r\n", 256) + "\r\n", 431, "the request has more than 16384 bytes or 256 lines of headers"},
		{"another version", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505, "only HTTP/1.1 and HTTP/2 are supported here"},
		{"a forward proxy's request", "GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400, "the request's target must be a path"},
		{"a path that is none", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400, "the request's target must be a path"},
		{"a tunnel", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501, "CONNECT is not supported"},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, br := raw(t, addr)
			response, body := ask(t, conn, br, c.send)
			want := fmt.Sprintf("{\"error\":%q}\n", c.body)
			if diff := cmp.Diff(want, body); diff != "" || response.StatusCode != c.status {
				t.Errorf("%s: %s", response.Status, diff)
			}
		})
	}
}

func TestRefusalOfAttemptIsTheAnswer(t *testing.T) {
	policy := &fixed{refuse: &proxy.Refusal{Status: 503, Text: "later", RetryAfter: 1500 * 1e6}}
	addr, _ := start(t, proxy.Config{Policy: policy})
	conn, br := raw(t, addr)
	for range 2 { // on one connection
		response, body := ask(t, conn, br, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
		if response.StatusCode != 503 || body != "{\"error\":\"later\"}\n" || response.Header.Get("Retry-After") != "2" {
			t.Errorf("%s %v %q", response.Status, response.Header, body)
		}
	}
	response, body := ask(t, conn, br, "HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
	if response.StatusCode != 503 || body != "" {
		t.Errorf("HEAD: %s %q", response.Status, body)
	}
	response, _ = ask(t, conn, br, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
	if response.StatusCode != 503 || !response.Close {
		t.Errorf("with an unread body: %s, close %v", response.Status, response.Close)
	}
}

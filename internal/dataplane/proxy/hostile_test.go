// SPDX-License-Identifier: Apache-2.0

package proxy_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/serin-dev/serin/internal/dataplane/proxy"
)

func TestHostileRequestsReachNoTarget(t *testing.T) {
	policy := &fixed{targets: []proxy.Target{backend(t, func(http.ResponseWriter, *http.Request) { t.Error("it passed") })}}
	addr, _ := start(t, proxy.Config{Policy: policy})
	versions(t, func(t *testing.T, c *http.Client) {
		for _, test := range []struct {
			method, path string
			status       int
			allow        string
		}{
			{"TRACE", "/", 405, "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"},
			{"GET", "/a/../b", 400, ""},
			{"GET", "/a/%2e%2e/b", 400, ""},
			{"POST", "/serving/n/iris/..%2f..%2fm/other/v1", 400, ""},
			{"GET", "/a%00", 400, ""},
		} {
			req, err := http.NewRequestWithContext(t.Context(), test.method, "http://"+addr, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			req.URL.Opaque = test.path
			response, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_ = response.Body.Close()
			if response.StatusCode != test.status || response.Header.Get("Allow") != test.allow {
				t.Errorf("%s %s: %s, Allow %q", test.method, test.path, response.Status, response.Header.Get("Allow"))
			}
		}
	})
	for _, send := range []string{
		"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "GET / HTTP/1.1\r\nHost: x<script>\r\n\r\n", "GET http://a@b/ HTTP/1.1\r\nHost: a@b\r\n\r\n",
		"GET https://x/ HTTP/1.1\r\nHost: x\r\n\r\n", "GET http://x/../y HTTP/1.1\r\nHost: x\r\n\r\n", "GET * HTTP/1.1\r\nHost: x\r\n\r\n",
	} {
		conn, br := raw(t, addr)
		if response, body := ask(t, conn, br, send); response.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: %s %s", send, response.Status, body)
		}
	}
}

func TestForwardedRequestHasHost(t *testing.T) {
	policy := &fixed{targets: []proxy.Target{backend(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s %s", r.Method, r.Host, r.RequestURI)
	})}}
	addr, _ := start(t, proxy.Config{Policy: policy, Forwarded: true})
	for send, want := range map[string]string{
		"GET / HTTP/1.0\r\n\r\n":                     "GET " + addr + " /",
		"GET / HTTP/1.0\r\nHost:\r\n\r\n":            "GET " + addr + " /",
		"GET / HTTP/1.1\r\nHost: \r\n\r\n":           "GET " + addr + " /",
		"GET http://x/y HTTP/1.0\r\n\r\n":            "GET x /y",
		"GET http://x?y HTTP/1.0\r\nHost: x\r\n\r\n": "400",
		"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n":      "", // net/http says nothing else
		"GET //a//b HTTP/1.1\r\nHost: x\r\n\r\n":     "GET x //a//b",
	} {
		conn, br := raw(t, addr)
		response, body := ask(t, conn, br, send)
		if response.StatusCode != http.StatusOK {
			body = fmt.Sprint(response.StatusCode)
		}
		if body != want {
			t.Errorf("%q arrived as %q, want %q", send, body, want)
		}
	}
}

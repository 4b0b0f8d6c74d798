// SPDX-License-Identifier: Apache-2.0

package proxy_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/dataplane/proxy"
)

// badTrailers are forbidden in both directions.
const badTrailers = "Host: evil\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\nSerin-Revision: forged\r\nSet-Cookie: a=b\r\nX-Forwarded-For: 1.2.3.4\r\n"

func TestForbiddenRequestTrailersAreRemoved(t *testing.T) {
	policy := &fixed{targets: []proxy.Target{script(t, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")}}
	policy.targets[0] = backend(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %v %v", body, r.Trailer, err)
	})
	addr, _ := start(t, proxy.Config{Policy: policy})
	head := "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, Serin-Revision\r\n\r\n"
	for name, body := range map[string]string{
		"a small body": "2\r\nhi\r\n0\r\n",
		"a large body": "4e20\r\n" + strings.Repeat("x", 20_000) + "\r\n0\r\n",
	} {
		conn, br := raw(t, addr)
		response, got := ask(t, conn, br, head+body+badTrailers+"X-Sum: 1\r\n\r\n")
		if !strings.HasSuffix(got, " map[Serin-Revision:[] X-Sum:[1]] <nil>") {
			t.Errorf("%s: %s %.100s", name, response.Status, got[max(0, len(got)-100):])
		}
		for _, bad := range []string{"X: a\x00b", "X: \x1b[31m", "X : a", "X", " folded: a", ": a", "X: a\rb"} {
			conn, br := raw(t, addr)
			if response, got := ask(t, conn, br, head+body+bad+"\r\n\r\n"); response.StatusCode != http.StatusBadRequest {
				t.Errorf("%s, %q: %s %q", name, bad, response.Status, got[max(0, len(got)-100):])
			}
		}
	}
}

func TestForbiddenResponseTrailersAreRemoved(t *testing.T) {
	versions(t, func(t *testing.T, c *http.Client) {
		answer := "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum, Serin-Revision\r\n\r\n2\r\nhi\r\n0\r\n"
		for trailers, want := range map[string]http.Header{
			badTrailers + "X-Sum: 1\r\n": {"X-Sum": {"1"}},
			"X-Sum: a\x00b\r\n":          nil,
			"X-Sum: \x1b[31m\r\n":        nil,
		} {
			target := script(t, answer+trailers+"\r\n")
			target.Revision = "iris-predictor-00001"
			addr, _ := start(t, proxy.Config{Policy: &fixed{targets: []proxy.Target{target}}, DetectH2: true})
			response := post(t, c, "http://"+addr, http.NoBody)
			_, _ = io.ReadAll(response.Body) // a malformed trailer ends it
			for name, values := range response.Trailer {
				if values == nil {
					delete(response.Trailer, name) // announced only
				}
			}
			if diff := cmp.Diff(want, response.Trailer); diff != "" && len(response.Trailer)+len(want) > 0 {
				t.Errorf("%q: %s", trailers, diff)
			}
			if got := response.Header.Get(proxy.RevisionHeader); got != "iris-predictor-00001" {
				t.Errorf("revision %q", got)
			}
		}
	})
}

func TestForbiddenHTTP2RequestTrailersAreRemoved(t *testing.T) {
	for _, target := range []proxy.Target{backend(t, trailers), plainBackend(t, trailers)} {
		addr, _ := start(t, proxy.Config{Policy: &fixed{targets: []proxy.Target{target}}, DetectH2: true})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr, io.MultiReader(strings.NewReader("hi")))
		if err != nil {
			t.Fatal(err)
		}
		req.Trailer = http.Header{"X-Sum": {"1"}, "Serin-Revision": {"forged"}, "X-Forwarded-For": {"1.2.3.4"}, "Set-Cookie": {"a"}}
		response, err := client(t, true).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if string(got) != "map[X-Sum:[1]]" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func trailers(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	fmt.Fprint(w, r.Trailer)
}

func TestInvalidResponseIsNotQuoted(t *testing.T) {
	versions(t, func(t *testing.T, c *http.Client) {
		for _, answer := range []string{"SECRET 200\r\n\r\n", "HTTP/1.1 200 OK\r\nSECRET\r\n\r\n", "HTTP/1.1 200 OK\r\nX: \x00SECRET\r\n\r\n", "HTTP/1.1 SECRET\r\n\r\n"} {
			addr, _ := start(t, proxy.Config{Policy: &fixed{targets: []proxy.Target{script(t, answer)}}, DetectH2: true})
			response := post(t, c, "http://"+addr, http.NoBody)
			body, err := io.ReadAll(response.Body)
			if response.StatusCode != http.StatusBadGateway && response.StatusCode != http.StatusOK || strings.Contains(string(body)+fmt.Sprint(response.Header), "SECRET") || err != nil {
				t.Errorf("%q: %s %v %q, %v", answer, response.Status, response.Header, body, err)
			}
		}
	})
}

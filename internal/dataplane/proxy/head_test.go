// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// requestHeads are what clients send, and what attackers might.
var requestHeads = []string{
	"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
	"\r\n\r\nPOST /v1/models/iris:predict?a=b HTTP/1.1\r\nhost:x\r\nContent-Length:  5 \r\nX: \t\r\n\r\nhello",
	"POST / HTTP/1.1\nHost: x\nTransfer-Encoding: Chunked\nTrailer: A\n\n0\r\n\r\n",
	"GET * HTTP/1.0\r\nConnection: keep-alive, a\r\nA: b\r\nC: d\r\n\r\n",
	"GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: x\r\nConnection: Host, Content-Length, X-A\r\nContent-Length: 0\r\nX-A: 1\r\nX-B: 2\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nA: b\r\n Content-Length: 5\r\n\r\n",
	"POST / HTTP/1.1\r\nHost: x\r\nA: b\rContent-Length: 5\r\n\r\n",
	"POST /\x00 HTTP/1.1\r\nHost: x\r\nA\x00: b\r\n\r\n",
	"GET / x HTTP/1.1\r\nHost: x\r\n\r\n",
}

// What the proxy lets through, another parser must read in the same way, or
// requests could be smuggled past one of the two.
func FuzzRequestHead(f *testing.F) {
	for _, seed := range requestHeads {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) { checkRequestHead(t, in) })
}

func TestAnyRequestHead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		pick := func(label string, from ...string) string { return rapid.SampledFrom(from).Draw(t, label) }
		var in strings.Builder
		in.WriteString(pick("first line", "GET / HTTP/1.1", "POST /a?b HTTP/1.1", "GET / HTTP/1.0", "HEAD  HTTP/1.1", "OPTIONS * HTTP/1.1"))
		for range rapid.IntRange(1, 6).Draw(t, "fields") {
			in.WriteString(pick("end", "\r\n", "\r\n", "\r\n", "\n", "\r", "\r\r\n", "\r\n ", "\r\n\t"))
			in.WriteString(pick("name", "Host", "host", "Content-Length", "content-length", "Transfer-Encoding", "Connection", "Upgrade", "X", "Te", ""))
			in.WriteString(pick("colon", ":", ": ", ": ", ":\t ", " :", ""))
			in.WriteString(pick("value", "", "x", "0", "5", "05", "+5", "5,5", "chunked", "Chunked ", "\x0bchunked", "identity", "close", "X, host,", "upgrade,keep-alive", "\x00"))
		}
		in.WriteString(pick("end", "\r\n\r\n", "\n\n", "\r\n\n"))
		checkRequestHead(t, in.String())
	})
}

func checkRequestHead(t interface{ Fatalf(string, ...any) }, in string) {
	var h head
	n, err := h.parseRequest([]byte(in))
	if err != nil {
		return
	}
	out := string(appendRequest(nil, &h, nil))
	var again head
	m, err := again.parseRequest([]byte(out))
	if err != nil || m != len(out) || again.length != h.length || string(appendRequest(nil, &again, nil)) != out {
		t.Fatalf("%q went on as %q, which is then another: %v", in, out, err)
	}
	got, left, err := readRequest(out + "next")
	if picky := (*url.Error)(nil); errors.As(err, &picky) {
		return
	}
	if err != nil {
		t.Fatalf("%q went on as %q: %v", in, out, err)
	}
	if left != "next" || got.length != h.length {
		t.Fatalf("%q went on as %q, which ends at %q with a body of %d, not %d", in, out, left, got.length, h.length)
	}
	want, left, err := readRequest(in[:n] + "next")
	if err != nil {
		return
	}
	want.dropHopByHop()
	for _, added := range [...]string{"Connection", "Upgrade"} { // to upgrade the next connection
		delete(got.header, added)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(message{})); diff != "" || left != "next" {
		t.Fatalf("%q, followed by %q, went on as %q: %s", in[:n], left, out, diff)
	}
}

// FuzzResponseHead is the same for the other direction.
func FuzzResponseHead(f *testing.F) {
	for _, seed := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close, A\r\nA: b\r\n\r\nhello",
		"HTTP/1.0 200\r\nServer: x\r\n\r\n", "HTTP/1.1 204 No Content\nContent-Length: 0\n\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: y\r\n\r\n",
		"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n", "HTTP/1.1 200 O\rK\r\n\r\n",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, in string) {
		var h head
		if _, err := h.parseResponse([]byte(in)); err != nil {
			return
		}
		framing := responseFraming(&h, false)
		out := string(appendResponse(nil, &h, framing, false, false, ""))
		response, err := http.ReadResponse(bufio.NewReader(strings.NewReader(out)), nil)
		if err != nil {
			t.Fatalf("%q went on as %q: %v", in, out, err)
		}
		_ = response.Body.Close()
		if framing == untilClose { // the proxy makes chunks of it
			framing = chunked
		}
		length := int(response.ContentLength)
		if response.StatusCode != h.status || (h.status >= 200 && length != framing && h.status != http.StatusNotModified) {
			t.Fatalf("%q went on as %q: status %d, a body of %d", in, out, response.StatusCode, length)
		}
	})
}

// message is a request as net/http reads it.
type message struct {
	method, target, host string
	length               int
	header               http.Header
}

// readRequest returns the head of text, and what follows.
func readRequest(text string) (m message, left string, err error) {
	br := bufio.NewReader(strings.NewReader(text))
	r, err := http.ReadRequest(br)
	if err != nil {
		return message{}, "", err
	}
	rest, err := io.ReadAll(br)
	return message{r.Method, r.RequestURI, r.Host, int(r.ContentLength), r.Header}, string(rest), err
}

// dropHopByHop removes what must not pass.
func (m *message) dropHopByHop() {
	names := []string{"Keep-Alive", "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Expect", "Http2-Settings"}
	for _, value := range m.header["Connection"] {
		for name := range strings.SplitSeq(value, ",") {
			name = http.CanonicalHeaderKey(strings.Trim(name, " \t"))
			if kept := []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "Content-Length", "Serin-Revision"}; !slices.Contains(kept, name) {
				names = append(names, name)
			}
		}
	}
	names = append(names, "Connection", "Upgrade")
	for _, name := range names {
		delete(m.header, name)
	}
}

func TestEveryPrefixOfAHeadIsIncomplete(t *testing.T) {
	for _, whole := range requestHeads[:6] {
		var h head
		n, err := h.parseRequest([]byte(whole))
		if err != nil {
			t.Fatalf("%q: %v", whole, err)
		}
		for i := range n {
			if _, err := h.parseRequest([]byte(whole[:i])); err != errIncomplete { //nolint:errorlint // it is never wrapped
				t.Errorf("%q: %v", whole[:i], err)
			}
		}
	}
}

func TestParsingAllocatesNothing(t *testing.T) {
	request := []byte(requestHeads[1])
	response := []byte("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\n")
	var h head
	var b []byte
	if n := testing.AllocsPerRun(100, func() {
		if _, err := h.parseRequest(request); err != nil {
			t.Fatal(err)
		}
		b = appendRequest(b[:0], &h, &forwarded{remote: "127.0.0.1"})
		if _, err := h.parseResponse(response); err != nil {
			t.Fatal(err)
		}
		b = appendResponse(b[:0], &h, 5, false, false, "iris")
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

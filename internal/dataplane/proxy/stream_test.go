// SPDX-License-Identifier: Apache-2.0

package proxy_test

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/websocket"

	"github.com/serin-dev/serin/internal/dataplane/proxy"
)

// client is an HTTP client for one test.
func client(t *testing.T, http2 bool) *http.Client {
	t.Helper()
	tr := &http.Transport{Protocols: new(http.Protocols), DisableCompression: true}
	tr.Protocols.SetHTTP1(!http2)
	tr.Protocols.SetUnencryptedHTTP2(http2)
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Transport: tr}
}

// versions runs a test with a client of each HTTP version.
func versions(t *testing.T, test func(t *testing.T, c *http.Client)) {
	t.Helper()
	t.Run("HTTP/1.1", func(t *testing.T) { test(t, client(t, false)) })
	t.Run("HTTP/2", func(t *testing.T) { test(t, client(t, true)) })
}

func post(t *testing.T, c *http.Client, url string, body io.Reader) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	response, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() }) // often read to its end before
	return response
}

func TestBodiesStreamInBothDirections(t *testing.T) {
	versions(t, func(t *testing.T, c *http.Client) {
		policy := &fixed{targets: []proxy.Target{backend(t, func(w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			if err := rc.EnableFullDuplex(); err != nil && r.ProtoMajor == 1 {
				t.Error(err)
			}
			w.WriteHeader(http.StatusOK)
			_ = rc.Flush()
			lines := bufio.NewScanner(r.Body)
			for lines.Scan() {
				fmt.Fprintf(w, "data: %s\n", lines.Text())
				_ = rc.Flush()
			}
		})}}
		addr, _ := start(t, proxy.Config{Policy: policy})
		body, send := io.Pipe()
		response := post(t, c, "http://"+addr, body)
		lines := bufio.NewReader(response.Body)
		for i := range 3 { // each line only after the answer to the one before
			fmt.Fprintln(send, i)
			got, err := lines.ReadString('\n')
			if want := fmt.Sprintf("data: %d\n", i); got != want || err != nil {
				t.Fatalf("got %q, %v, want %q", got, err, want)
			}
		}
		_ = send.Close()
		if rest, err := io.ReadAll(lines); len(rest) > 0 || err != nil {
			t.Errorf("the end is %q, %v", rest, err)
		}
	})
}

func TestLargeBodiesArriveComplete(t *testing.T) {
	const size = 32 << 20
	versions(t, func(t *testing.T, c *http.Client) {
		policy := &fixed{targets: []proxy.Target{backend(t, func(w http.ResponseWriter, r *http.Request) {
			sum := sha256.New()
			n, err := io.Copy(sum, r.Body)
			w.Header().Set("X-Sum", fmt.Sprintf("%d %x %v", n, sum.Sum(nil), err))
			w.Header().Set("Content-Length", fmt.Sprint(size))
			_, _ = io.CopyN(w, zeros{}, size)
		})}}
		addr, _ := start(t, proxy.Config{Policy: policy})
		sum := sha256.New()
		_, _ = io.CopyN(sum, zeros{}, size)
		for _, known := range []bool{true, false} {
			body := io.LimitReader(zeros{}, size)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr, body)
			if err != nil {
				t.Fatal(err)
			}
			if known {
				req.ContentLength = size
			}
			response, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, response.Body)
			_ = response.Body.Close()
			if want := fmt.Sprintf("%d %x <nil>", size, sum.Sum(nil)); response.Header.Get("X-Sum") != want {
				t.Errorf("the target got %s, want %s", response.Header.Get("X-Sum"), want)
			}
			if n != size || err != nil {
				t.Errorf("the client got %d bytes, %v", n, err)
			}
		}
		for _, r := range policy.requests() {
			if r.Sent != size || r.Status != 200 || r.Err != nil {
				t.Errorf("counted %d bytes, status %d, %v", r.Sent, r.Status, r.Err)
			}
		}
	})
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

func TestTrailersAreForwardedInBothDirections(t *testing.T) {
	versions(t, func(t *testing.T, c *http.Client) {
		policy := &fixed{targets: []proxy.Target{backend(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Trailer", "X-Answer")
			_, _ = io.Copy(w, r.Body)
			w.Header().Set("X-Answer", "to "+r.Trailer.Get("X-Question"))
		})}}
		addr, _ := start(t, proxy.Config{Policy: policy})
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr, io.MultiReader(strings.NewReader("body")))
		if err != nil {
			t.Fatal(err)
		}
		req.Trailer = http.Header{"X-Question": {"why"}}
		response, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if string(body) != "body" || err != nil || response.Trailer.Get("X-Answer") != "to why" {
			t.Errorf("got %q, %v and trailers %v", body, err, response.Trailer)
		}
	})
}

// script is a target that says what a test tells it to, byte by byte, once per
// connection.
func script(t *testing.T, answer string) proxy.Target {
	t.Helper()
	ln := listen(t)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			if req, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
				_, _ = io.Copy(io.Discard, req.Body)
				_, _ = io.WriteString(conn, answer)
			}
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() {
		_ = ln.Close()
		<-ended
	})
	return proxy.Target{Addr: ln.Addr().String()}
}

func TestUnusualResponses(t *testing.T) {
	for _, c := range []struct{ name, request, answer, want string }{
		{
			"a body that ends with the connection", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nhello",
			"HTTP/1.1 200 OK\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
		},
		{
			"the same for an old client", "GET / HTTP/1.0\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nhello",
			"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
		},
		{
			"chunks for an old client", "GET / HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\nT: 1\r\n\r\n",
			"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello",
		},
		{
			"an early hint", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
			"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\nHTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n",
		},
		{
			"HEAD tells of a body that does not come", "HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 200 Fine\r\nContent-Length: 5\r\n\r\n",
			"HTTP/1.1 200 Fine\r\nContent-Length: 5\r\nConnection: close\r\n\r\n",
		},
		{
			"not modified", "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "HTTP/1.1 304 Not Modified\r\nEtag: a\r\n\r\n",
			"HTTP/1.1 304 Not Modified\r\nEtag: a\r\nConnection: close\r\n\r\n",
		},
		{
			"a body cut short cuts the connection", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
			"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello",
		},
		{
			"chunks cut short are not made whole", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
			"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
		},
		{
			"no response at all", "POST / HTTP/1.0\r\nHost: x\r\n\r\n", "",
			"HTTP/1.1 502 Bad Gateway\r\nContent-Type: application/json\r\nContent-Length: 69\r\nConnection: close\r\n\r\n{\"error\":\"the service ended the connection without a response: EOF\"}\n",
		},
		{
			"an upgrade that nobody asked for", "GET / HTTP/1.0\r\nHost: x\r\n\r\n", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: y\r\n\r\n",
			"HTTP/1.1 502 Bad Gateway\r\nContent-Type: application/json\r\nContent-Length: 95\r\nConnection: close\r\n\r\n{\"error\":\"the service ended the connection without a response: it switched protocols unasked\"}\n",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			policy := &fixed{targets: []proxy.Target{script(t, c.answer)}}
			addr, _ := start(t, proxy.Config{Policy: policy})
			conn, br := raw(t, addr)
			if _, err := io.WriteString(conn, c.request); err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(br)
			if err != nil {
				t.Errorf("read: %v", err)
			}
			if diff := cmp.Diff(c.want, string(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Else the tunnel and the upload would both read the client.
func TestUpgradeBeforeEndOfBodyIsBadGateway(t *testing.T) {
	policy := &fixed{targets: []proxy.Target{backend(t, func(w http.ResponseWriter, _ *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: y\r\n\r\n")
		_ = rw.Flush()
		_, _ = io.Copy(io.Discard, rw)
	})}}
	addr, _ := start(t, proxy.Config{Policy: policy})
	conn, br := raw(t, addr)
	request := "POST / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: y\r\nContent-Length: 1000000\r\n\r\n" + strings.Repeat("x", 20<<10)
	response, body := ask(t, conn, br, request)
	if want := "it switched protocols before it had the request's body"; response.StatusCode != http.StatusBadGateway || !strings.Contains(body, want) {
		t.Errorf("%s: %s, want 502: %s", response.Status, body, want)
	}
}

func TestEarlyHintsAreForwardedImmediately(t *testing.T) {
	policy := &fixed{targets: []proxy.Target{backend(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		select {
		case <-time.After(1500 * time.Millisecond): // longer than clientWatchDelay
			fmt.Fprint(w, "hello")
		case <-r.Context().Done():
		}
	})}}
	addr, _ := start(t, proxy.Config{Policy: policy})
	conn, br := raw(t, addr)
	response, _ := ask(t, conn, br, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if response.StatusCode != http.StatusEarlyHints {
		t.Errorf("the hint is %s", response.Status)
	}
	response, body := ask(t, conn, br, "")
	if response.StatusCode != http.StatusOK || body != "hello" {
		t.Errorf("%s %q", response.Status, body)
	}
}

func TestResponseBeforeEndOfBodyIsForwarded(t *testing.T) {
	policy := &fixed{targets: []proxy.Target{backend(t, func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "too much", http.StatusRequestEntityTooLarge)
	})}}
	addr, _ := start(t, proxy.Config{Policy: policy})
	conn, br := raw(t, addr)
	response, body := ask(t, conn, br, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nthe first bytes")
	if response.StatusCode != http.StatusRequestEntityTooLarge || body != "too much\n" {
		t.Errorf("%s %q", response.Status, body)
	}
	if rest, err := io.ReadAll(br); len(rest) > 0 || err != nil {
		t.Errorf("the connection must end: %q, %v", rest, err)
	}
}

func TestExpectContinue(t *testing.T) {
	policy := &fixed{targets: []proxy.Target{backend(t, echo)}}
	addr, _ := start(t, proxy.Config{Policy: policy})
	conn, br := raw(t, addr)
	if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if line, err := br.ReadString('\n'); line != "HTTP/1.1 100 Continue\r\n" || err != nil {
		t.Fatalf("got %q, %v", line, err)
	}
	if _, err := br.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	response, body := ask(t, conn, br, "hi")
	if body != "POST x / hi" {
		t.Errorf("%s %q", response.Status, body)
	}
}

func TestWebSocket(t *testing.T) {
	var upgrader websocket.Upgrader
	policy := &fixed{done: make(chan struct{}, 1), targets: []proxy.Target{backend(t, func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = ws.Close() }()
		for {
			kind, message, err := ws.ReadMessage()
			if err != nil {
				return
			}
			if err := ws.WriteMessage(kind, message); err != nil {
				return
			}
		}
	})}}
	addr, _ := start(t, proxy.Config{Policy: policy})
	ws, response, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+addr+"/chat", nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := response.Header.Get(proxy.RevisionHeader); got != "iris-predictor-00001" {
		t.Errorf("revision %q", got)
	}
	for _, message := range []string{"hello", strings.Repeat("long ", 100000), "bye"} {
		if err := ws.WriteMessage(websocket.TextMessage, []byte(message)); err != nil {
			t.Fatal(err)
		}
		if _, got, err := ws.ReadMessage(); string(got) != message || err != nil {
			t.Fatalf("got %d bytes, %v, want %d", len(got), err, len(message))
		}
	}
	_ = ws.Close()
	<-policy.done
	if r := policy.requests()[0]; r.Status != http.StatusSwitchingProtocols || r.Sent < 500000 {
		t.Errorf("counted status %d and %d bytes", r.Status, r.Sent)
	}
}

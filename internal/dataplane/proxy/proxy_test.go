// SPDX-License-Identifier: Apache-2.0

package proxy_test

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/serin-dev/serin/internal/dataplane/proxy"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// fixed is a Policy with fixed targets that records its requests.
type fixed struct {
	targets   []proxy.Target // the first is for every request, the others for retries
	refuse    error
	admit     func(*proxy.Request)
	elsewhere error // after the last target

	mu   sync.Mutex
	seen []proxy.Request
	done chan struct{} // one element per Done, if not nil
}

func (f *fixed) NewAttempt() proxy.Attempt { return f }

func (f *fixed) Admit(r *proxy.Request) (proxy.Target, error) {
	if f.admit != nil {
		f.admit(r)
	}
	if f.refuse != nil {
		return proxy.Target{}, f.refuse
	}
	return f.targets[0], nil
}

func (f *fixed) Elsewhere(r *proxy.Request) (proxy.Target, error) {
	for i, t := range f.targets[:len(f.targets)-1] {
		if t.Addr == r.Target.Addr {
			return f.targets[i+1], nil
		}
	}
	return proxy.Target{}, cmp.Or(f.elsewhere, proxy.ErrNowhere)
}

func (f *fixed) Done(r *proxy.Request) {
	f.mu.Lock()
	f.seen = append(f.seen, *r)
	f.mu.Unlock()
	if f.done != nil {
		f.done <- struct{}{}
	}
}

func (f *fixed) requests() []proxy.Request {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]proxy.Request(nil), f.seen...)
}

// start serves a proxy, and returns its address and a function that stops it and
// waits.
func start(t *testing.T, cfg proxy.Config) (addr string, stop func()) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
	if cfg.Drain == 0 {
		cfg.Drain = 5 * time.Second
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- proxy.New(cfg).Serve(ctx, ln) }()
	stop = sync.OnceFunc(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("serve: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("the proxy did not stop")
		}
	})
	t.Cleanup(stop)
	return ln.Addr().String(), stop
}

// backend starts a server for handler, speaking HTTP/1.1 and HTTP/2, and
// returns its target.
func backend(t *testing.T, handler http.HandlerFunc) proxy.Target {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return proxy.Target{Addr: server.Listener.Addr().String(), Revision: "iris-predictor-00001"}
}

// raw connects to addr for tests that speak HTTP byte by byte.
func raw(t *testing.T, addr string) (net.Conn, *bufio.Reader) {
	t.Helper()
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // often closed before
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn, bufio.NewReader(conn)
}

// ask sends text and returns the response and its body.
func ask(t *testing.T, conn net.Conn, br *bufio.Reader, text string) (*http.Response, string) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatalf("send: %v", err)
	}
	method, _, _ := strings.Cut(text, " ")
	response, err := http.ReadResponse(br, &http.Request{Method: method})
	if err != nil {
		t.Fatalf("read the response: %v", err)
	}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatalf("read the body after %q: %v", body, err)
	}
	_ = response.Body.Close()
	return response, string(body)
}

func echo(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	fmt.Fprintf(w, "%s %s %s %s", r.Method, r.Host, r.URL, body)
}

func TestKeepAliveConnectionServesManyRequests(t *testing.T) {
	policy := &fixed{targets: []proxy.Target{backend(t, echo)}}
	addr, _ := start(t, proxy.Config{Policy: policy})
	conn, br := raw(t, addr)
	for i, c := range []struct{ send, want string }{
		{"GET /a?b=c HTTP/1.1\r\nHost: x\r\n\r\n", "GET x /a?b=c "},
		{"POST /p HTTP/1.1\r\nHost: y\r\nContent-Length: 5\r\n\r\nhello", "POST y /p hello"},
		{"POST /p HTTP/1.1\r\nHost: y\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;ext=1\r\nlo\r\n0\r\n\r\n", "POST y /p hello"},
		{"POST /p HTTP/1.1\r\nHost: y\r\nContent-Length: 0\r\n\r\n", "POST y /p "},
		{"GET /p HTTP/1.1\r\nHost: y\r\nContent-Length: 5\r\n\r\nhello", "GET y /p hello"},
		{"POST /p HTTP/1.1\r\nHost: y\r\nConnection: host, content-length\r\nContent-Length: 5\r\n\r\nhello", "POST y /p hello"},
		{"\r\nGET /p HTTP/1.1\nHost: y\n\n", "GET y /p "},
		{"GET /p HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET " + addr + " /p "},
		{"POST http://y/p/q HTTP/1.1\r\nHost: y\r\nContent-Length: 0\r\n\r\n", "POST y /p/q "},
	} {
		response, body := ask(t, conn, br, c.send)
		if response.StatusCode != 200 || body != c.want || response.Header.Get(proxy.RevisionHeader) != "iris-predictor-00001" {
			t.Fatalf("request %d: %d %q %v, want %q", i, response.StatusCode, body, response.Header, c.want)
		}
	}
}

func TestTargetPathReplacesRequestPath(t *testing.T) {
	versions(t, func(t *testing.T, c *http.Client) {
		target := backend(t, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			fmt.Fprintf(w, "%s %s %v", r.RequestURI, body, err)
		})
		policy := &fixed{targets: []proxy.Target{nobody(t), target}}
		addr, _ := start(t, proxy.Config{Policy: policy})
		for path, want := range map[string]string{
			"":                            "/serving/n/iris/v1?a=b;c",
			"/":                           "/",
			"/v1":                         "/v1",
			"/v1/models/iris:predict?a=b": "/v1/models/iris:predict?a=b",
			"//v1/a%2Fb?a=b;c":            "//v1/a%2Fb?a=b;c",
		} {
			policy.targets[0].Path = path
			for _, body := range []io.Reader{strings.NewReader("hello"), io.MultiReader(strings.NewReader("hello"))} {
				response := post(t, c, "http://"+addr+"/serving/n/iris/v1?a=b;c", body)
				got, err := io.ReadAll(response.Body)
				if want := want + " hello <nil>"; string(got) != want || err != nil {
					t.Errorf("path %q arrived as %q, %v", path, got, err)
				}
			}
		}
	})
}

// plainBackend speaks HTTP/1.1 only.
func plainBackend(t *testing.T, handler http.HandlerFunc) proxy.Target {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return proxy.Target{Addr: server.Listener.Addr().String()}
}

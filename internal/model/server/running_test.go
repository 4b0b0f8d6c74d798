// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// folder returns a folder with copies of the files.
func folder(tb testing.TB, files ...string) string {
	tb.Helper()
	dir := tb.TempDir()
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), data, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

// running is a server on a port of its own.
type running struct {
	address  string
	stop     context.CancelFunc
	done     chan error // what Serve returned
	accepted *atomic.Int32
	memory   *memory
}

// counting is a listener that counts the connections it gave to the server.
type counting struct {
	net.Listener
	accepted *atomic.Int32
}

func (c counting) Accept() (net.Conn, error) {
	conn, err := c.Listener.Accept()
	if err == nil {
		c.accepted.Add(1)
	}
	return conn, err
}

// start serves a model file until the test ends.
func start(t *testing.T, file string, change ...func(*Config)) *running {
	t.Helper()
	cfg := Config{ModelName: "m", ModelDir: folder(t, file), Log: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&cfg)
	}
	s, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var lc net.ListenConfig
	ln, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{ln.Addr().String(), cancel, make(chan error, 1), &atomic.Int32{}, s.memory}
	go func() { r.done <- s.Serve(ctx, counting{ln, r.accepted}, nil) }()
	t.Cleanup(func() {
		cancel()
		http.DefaultClient.CloseIdleConnections()
		r.ended(t)
	})
	return r
}

// ended waits for the server to return and gives its error on.
func (r *running) ended(t *testing.T) {
	t.Helper()
	select {
	case err := <-r.done:
		if err != nil {
			t.Errorf("Serve: %v", err)
		}
		r.done <- nil // for those who ask again
	case <-time.After(20 * time.Second):
		t.Error("Serve did not return within 20 s")
	}
}

// do sends a request and returns "CODE BODY".
func (r *running) do(t *testing.T, method, path string, body io.Reader, header ...string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.address+path, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, b)
}

func (r *running) dial(t *testing.T) net.Conn {
	t.Helper()
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", r.address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

func response(t *testing.T, conn net.Conn) string {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, body)
}

// refusesConnections waits until the listener is closed.
func (r *running) refusesConnections(t *testing.T) {
	t.Helper()
	var d net.Dialer
	deadline := time.Now().Add(20 * time.Second)
	for {
		conn, err := d.DialContext(t.Context(), "tcp", r.address)
		if err != nil {
			return
		}
		_ = conn.Close()
		if time.Now().After(deadline) {
			t.Fatalf("%s still accepts connections", r.address)
		}
	}
}

// served returns a server of a model that is asked without a network.
func served(t *testing.T, change ...func(*Config)) *Server {
	t.Helper()
	cfg := Config{ModelName: "m", ModelDir: folder(t, iris), Log: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&cfg)
	}
	s, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// serverOf returns a server of a model file that is asked without a network.
func serverOf(tb testing.TB, data []byte, change ...func(*Config)) (*Server, error) {
	tb.Helper()
	cfg := Config{ModelName: "m", ModelDir: tb.TempDir(), Log: slog.New(slog.DiscardHandler)}
	for _, c := range change {
		c(&cfg)
	}
	if err := os.WriteFile(filepath.Join(cfg.ModelDir, "model.joblib"), data, 0o600); err != nil {
		tb.Fatal(err)
	}
	return New(tb.Context(), cfg)
}

// posted returns the status and the body of an answer.
func (s *Server) posted(path, body string) (int, string) {
	var ctx fasthttp.RequestCtx
	ctx.Request.Header.SetMethod("POST")
	ctx.Request.SetRequestURI(path)
	ctx.Request.SetBodyString(body)
	s.handle(&ctx)
	return ctx.Response.StatusCode(), string(ctx.Response.Body())
}

// post is posted as one text.
func (s *Server) post(path, body string) string {
	status, answer := s.posted(path, body)
	return strconv.Itoa(status) + " " + answer
}

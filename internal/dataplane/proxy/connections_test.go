// SPDX-License-Identifier: Apache-2.0

package proxy_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/serin-dev/serin/internal/dataplane/proxy"
	"github.com/serin-dev/serin/internal/testkit/eventually"
)

// crowded is a proxy with few connections, and clients of it.
type crowded struct {
	t       *testing.T
	server  *proxy.Server
	addr    string
	arrived chan struct{} // a value for each request that is held
}

// crowd starts a proxy whose target answers at once, but for /hold: that waits
// until release is called.
func crowd(t *testing.T, most proxy.Connections) (c *crowded, release func()) {
	t.Helper()
	held, arrived := make(chan struct{}), make(chan struct{}, 100)
	target := backend(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			arrived <- struct{}{}
			<-held
		}
		fmt.Fprint(w, "ok")
	})
	ln := listen(t)
	cfg := proxy.Config{
		Policy: &fixed{targets: []proxy.Target{target}}, Drain: 5 * time.Second, Connections: most,
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	c = &crowded{t: t, server: proxy.New(cfg), addr: ln.Addr().String(), arrived: arrived}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.server.Serve(ctx, ln) }()
	released := false
	release = func() {
		if !released {
			close(held)
		}
		released = true
	}
	t.Cleanup(func() {
		release()
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if n := c.server.ConnectionCounts().Open; n != 0 {
			t.Errorf("in the end %d connections are counted", n)
		}
	})
	return c, release
}

// visitor is a client's connection.
type visitor struct {
	net.Conn
	br *bufio.Reader
	c  *crowded
}

// from connects from an address of this machine.
func (c *crowded) from(ip string) *visitor {
	c.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(ip)}}
	before := c.server.ConnectionCounts()
	nc, err := d.DialContext(c.t.Context(), "tcp", c.addr)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { _ = nc.Close() })
	c.until("the connection is accepted or refused", func(n proxy.ConnectionCounts) bool {
		return n.Open+n.Closed+n.Refused > before.Open+before.Closed+before.Refused
	})
	return &visitor{Conn: nc, br: bufio.NewReader(nc), c: c}
}

func (c *crowded) until(what string, enough func(proxy.ConnectionCounts) bool) {
	c.t.Helper()
	err := eventually.Within(context.Background(), 10*time.Second, time.Millisecond, func(context.Context) (any, bool) {
		n := c.server.ConnectionCounts()
		return n, enough(n)
	})
	if err != nil {
		c.t.Fatalf("%s: %v", what, err)
	}
}

// idle waits until so many connections are: shortly after their clients have the
// answer.
func (c *crowded) idle(want int) {
	c.t.Helper()
	err := eventually.Within(context.Background(), 10*time.Second, time.Millisecond, func(context.Context) (any, bool) {
		is := c.server.Resting()
		return is, is == want
	})
	if err != nil {
		c.t.Fatalf("%d connections are idle: %v", want, err)
	}
}

func (v *visitor) send(text string) {
	v.c.t.Helper()
	if _, err := io.WriteString(v, text); err != nil {
		v.c.t.Fatal(err)
	}
}

// ask sends a request and returns what became of it.
func (v *visitor) ask() string {
	if _, err := io.WriteString(v, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); err != nil {
		return "closed"
	}
	return v.answer()
}

func (v *visitor) answer() string {
	_ = v.SetReadDeadline(time.Now().Add(10 * time.Second))
	res, err := http.ReadResponse(v.br, nil)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return "silent"
	}
	if err != nil {
		return "closed"
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.Status
}

func expect(t *testing.T, who string, is, want string) {
	t.Helper()
	if is != want {
		t.Errorf("%s: %s, not %s", who, is, want)
	}
}

const answered = "200 OK"

func TestLongestIdleConnectionIsClosedFirst(t *testing.T) {
	c, _ := crowd(t, proxy.Connections{Most: 3, PerClient: 3})
	a, b, d := c.from("127.0.0.1"), c.from("127.0.0.1"), c.from("127.0.0.1")
	for _, v := range []*visitor{b, a, d} { // b is idle for the longest
		expect(t, "while there is room", v.ask(), answered)
		c.idle(3)
	}
	e := c.from("127.0.0.1")
	expect(t, "the newcomer", e.ask(), answered)
	c.idle(3)
	expect(t, "idle for the longest", b.ask(), "closed")
	for _, v := range []*visitor{a, d, e} {
		expect(t, "idle, but not for the longest", v.ask(), answered)
	}
	if n := c.server.ConnectionCounts(); n != (proxy.ConnectionCounts{Open: 3, Limit: 3, Closed: 1}) {
		t.Errorf("%+v", n)
	}
}

func TestNewConnectionCutsOffNoRequest(t *testing.T) {
	c, release := crowd(t, proxy.Connections{Most: 2, PerClient: 2})
	a, b := c.from("127.0.0.1"), c.from("127.0.0.2")
	for _, v := range []*visitor{a, b} {
		v.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
		<-c.arrived
	}
	expect(t, "while all are busy", c.from("127.0.0.3").answer(), "closed")
	expect(t, "of a client with one", c.from("127.0.0.1").answer(), "closed")
	release()
	for _, v := range []*visitor{a, b} {
		expect(t, "busy", v.answer(), answered)
	}
	eventuallyAsks(t, c, "127.0.0.3")
}

// On one processor, a burst is accepted before any of its connections is served.
func TestConnectionsOfABurstReplaceEachOther(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	ln := listen(t)
	c := &crowded{t: t, addr: ln.Addr().String()}
	var last net.Conn
	for range 50 { // which wait for the server to begin
		nc, err := net.Dial("tcp", c.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = nc.Close() }()
		last = nc
	}
	target := backend(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	c.server = proxy.New(proxy.Config{
		Policy: &fixed{targets: []proxy.Target{target}}, Drain: 5 * time.Second, Connections: proxy.Connections{Most: 4},
		Log: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.server.Serve(ctx, ln) }()
	c.until("all are accepted", func(n proxy.ConnectionCounts) bool { return n.Open+n.Closed+n.Refused == 50 })
	if n := c.server.ConnectionCounts(); n.Refused > 0 {
		t.Errorf("%d of a burst were refused", n.Refused)
	}
	expect(t, "the last one", (&visitor{Conn: last, br: bufio.NewReader(last), c: c}).ask(), answered)
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// eventuallyAsks connects until that is answered: a search in vain for an idle
// connection is not repeated at once.
func eventuallyAsks(t *testing.T, c *crowded, from string) *visitor {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; {
		v := c.from(from)
		said := v.ask()
		if said == answered {
			return v
		}
		if time.Now().After(deadline) {
			t.Fatalf("a new connection is %s", said)
		}
	}
}

func TestConnectionsPerClientAreLimited(t *testing.T) {
	c, release := crowd(t, proxy.Connections{Most: 10, PerClient: 8})
	var greedy []*visitor
	for range 8 {
		v := c.from("127.0.0.1")
		v.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
		<-c.arrived
		greedy = append(greedy, v)
	}
	expect(t, "more than its share", c.from("127.0.0.1").answer(), "closed")
	other := c.from("127.0.0.2")
	expect(t, "another client", other.ask(), answered)
	release()
	for _, v := range greedy {
		expect(t, "within its share", v.answer(), answered)
	}
	eventuallyAsks(t, c, "127.0.0.1") // in the place of its own, although there are places
	if n := c.server.ConnectionCounts(); n.Closed != 1 || n.Open != 9 {
		t.Errorf("%+v", n)
	}
	expect(t, "the other client", other.ask(), answered)
}

func TestClientWithMostConnectionsLosesIdleOnesFirst(t *testing.T) {
	c, _ := crowd(t, proxy.Connections{Most: 4, PerClient: 4})
	old := c.from("127.0.0.2")
	expect(t, "first", old.ask(), answered)
	var greedy []*visitor
	for range 3 {
		v := c.from("127.0.0.1")
		expect(t, "greedy", v.ask(), answered)
		greedy = append(greedy, v)
	}
	c.idle(4)
	expect(t, "a third client", c.from("127.0.0.3").ask(), answered)
	expect(t, "idle for the longest", old.ask(), answered)
	expect(t, "the first of the greedy client", greedy[0].ask(), "closed")
	expect(t, "another of its", greedy[1].ask(), answered)
}

func TestPartialRequestIsClosedForClientWithFewerConnections(t *testing.T) {
	c, _ := crowd(t, proxy.Connections{Most: 4, PerClient: 4})
	var slow []*visitor
	for range 4 {
		v := c.from("127.0.0.1")
		v.send("GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ")
		slow = append(slow, v)
	}
	eventuallyAsks(t, c, "127.0.0.2").send("GET / HTTP/1.1\r\nHost: ")
	eventuallyAsks(t, c, "127.0.0.3")
	closed := 0
	for _, v := range slow {
		if _, err := io.WriteString(v, "x\r\n\r\n"); err != nil || v.answer() == "closed" {
			closed++
		}
	}
	if closed != 2 {
		t.Errorf("%d of the slow ones were closed, not 2", closed)
	}
}

func TestHTTP2ConnectionsAreCounted(t *testing.T) {
	c, release := crowd(t, proxy.Connections{Most: 2, PerClient: 2})
	open := func() *http.Transport {
		conns := make(chan net.Conn, 1)
		conns <- c.from("127.0.0.1")
		conn := &http.Transport{Protocols: new(http.Protocols), DialContext: func(context.Context, string, string) (net.Conn, error) {
			select {
			case nc := <-conns:
				return nc, nil
			default:
				return nil, net.ErrClosed // one only
			}
		}}
		conn.Protocols.SetUnencryptedHTTP2(true)
		t.Cleanup(conn.CloseIdleConnections)
		return conn
	}
	ask := func(conn *http.Transport, path string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://a"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := conn.RoundTrip(req)
		if err != nil {
			return "closed"
		}
		defer func() { _ = res.Body.Close() }()
		_, _ = io.Copy(io.Discard, res.Body)
		return res.Status
	}
	quiet, working := open(), open()
	expect(t, "over HTTP/2", ask(quiet, "/"), answered)
	got := make(chan string, 1)
	go func() { got <- ask(working, "/hold") }()
	<-c.arrived
	c.idle(1)
	eventuallyAsks(t, c, "127.0.0.1") // takes the place of the quiet one
	expect(t, "idle", ask(quiet, "/"), "closed")
	release()
	expect(t, "busy", <-got, answered)
}

func TestUpgradedConnectionIsNotIdle(t *testing.T) {
	target := backend(t, func(w http.ResponseWriter, _ *http.Request) {
		nc, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer func() { _ = nc.Close() }()
		_, _ = rw.WriteString("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
		_ = rw.Flush()
		_, _ = io.Copy(nc, rw)
	})
	addr, _ := start(t, proxy.Config{Policy: &fixed{targets: []proxy.Target{target}}, Connections: proxy.Connections{Most: 1, PerClient: 1}})
	nc, br := raw(t, addr)
	_, _ = io.WriteString(nc, "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
	if res, err := http.ReadResponse(br, nil); err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(res, err)
	}
	other, otherReader := raw(t, addr)
	_, _ = io.WriteString(other, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")
	if res, err := http.ReadResponse(otherReader, nil); err == nil {
		t.Errorf("another connection got %s", res.Status)
	}
	_, _ = io.WriteString(nc, "still here\n")
	if line, err := br.ReadString('\n'); line != "still here\n" {
		t.Error(line, err)
	}
}

// Idle connections are closed for new ones. When all are in use, the answer is 503
// with Retry-After.
func TestConnectionsToTargetsAreLimited(t *testing.T) {
	held := make(chan struct{})
	arrived := make(chan struct{}, 2)
	handler := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hold" {
			arrived <- struct{}{}
			<-held
		}
		fmt.Fprint(w, "ok")
	}
	targets := map[string]proxy.Target{"one": backend(t, handler), "two": backend(t, handler)}
	addr, _ := start(t, proxy.Config{Policy: byHost(targets), Connections: proxy.Connections{Targets: 1}})
	get := func(host, path string) string {
		nc, br := raw(t, addr)
		defer func() { _ = nc.Close() }()
		res, _ := ask(t, nc, br, "GET "+path+" HTTP/1.1\r\nHost: "+host+"\r\n\r\n")
		return res.Status + " " + res.Header.Get("Retry-After")
	}
	eventually := func(host string) { // a connection is idle shortly after the client has the answer
		t.Helper()
		is := ""
		for deadline := time.Now().Add(10 * time.Second); is != "200 OK " && time.Now().Before(deadline); is = get(host, "/") {
		}
		expect(t, host, is, "200 OK ")
	}
	eventually("two")
	eventually("one")
	got := make(chan string, 1)
	go func() {
		said := get("one", "/hold")
		for strings.HasPrefix(said, "503") {
			said = get("one", "/hold")
		}
		got <- said
	}()
	<-arrived
	expect(t, "when all are in use", get("two", "/"), "503 Service Unavailable 1")
	close(held)
	expect(t, "in use", <-got, "200 OK ")
	eventually("two")
}

// byHost is a Policy that chooses targets by the request's host.
type byHost map[string]proxy.Target

func (b byHost) NewAttempt() proxy.Attempt { return b }

func (b byHost) Admit(r *proxy.Request) (proxy.Target, error) { return b[r.Host], nil }

func (b byHost) Elsewhere(*proxy.Request) (proxy.Target, error) {
	return proxy.Target{}, proxy.ErrNowhere
}

func (b byHost) Done(*proxy.Request) {}

// scarce is a listener that finds no descriptor a few times.
type scarce struct {
	net.Listener
	fail int
}

func (s *scarce) Accept() (net.Conn, error) {
	if s.fail > 0 {
		s.fail--
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	return s.Listener.Accept()
}

func TestAcceptWithoutDescriptorsRetriesAndLogsOnce(t *testing.T) {
	var log strings.Builder
	target := backend(t, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })
	ln := &scarce{Listener: listen(t), fail: 5}
	server := proxy.New(proxy.Config{Policy: &fixed{targets: []proxy.Target{target}}, Log: slog.New(slog.NewTextHandler(&log, nil))})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	begin := time.Now()
	go func() { ended <- server.Serve(ctx, ln) }()
	nc, br := raw(t, ln.Addr().String())
	if res, _ := ask(t, nc, br, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"); res.StatusCode != http.StatusOK {
		t.Error(res.Status)
	}
	if took := time.Since(begin); took < 100*time.Millisecond {
		t.Errorf("it tried five times within %v", took)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if lines := slices.Collect(strings.Lines(log.String())); len(lines) != 2 {
		t.Errorf("it said:\n%s", log.String())
	}
}

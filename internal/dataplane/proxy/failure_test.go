// SPDX-License-Identifier: Apache-2.0

package proxy_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-dev/serin/internal/dataplane/proxy"
)

func TestLateResponseIsGatewayTimeout(t *testing.T) {
	versions(t, func(t *testing.T, c *http.Client) {
		release := make(chan struct{})
		target := backend(t, func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		})
		defer close(release)
		for _, timeout := range []time.Duration{50 * time.Millisecond, 1100 * time.Millisecond} { // before and after the client is watched
			target.Timeout = timeout
			policy := &fixed{targets: []proxy.Target{target}}
			addr, _ := start(t, proxy.Config{Policy: policy})
			response := post(t, c, "http://"+addr, strings.NewReader("x"))
			body, err := io.ReadAll(response.Body)
			want := fmt.Sprintf("{\"error\":\"revision iris-predictor-00001 did not answer within %v\"}\n", timeout)
			if diff := cmp.Diff(want, string(body)); diff != "" || err != nil || response.StatusCode != http.StatusGatewayTimeout {
				t.Errorf("%s, %v: %s", response.Status, err, diff)
			}
			if got := response.Header.Get(proxy.RevisionHeader); got != "iris-predictor-00001" {
				t.Errorf("revision %q", got)
			}
		}
	})
}

func TestClientDisconnectEndsRequest(t *testing.T) {
	versions(t, func(t *testing.T, c *http.Client) {
		arrived, left := make(chan struct{}), make(chan struct{})
		policy := &fixed{done: make(chan struct{}, 1), targets: []proxy.Target{backend(t, func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			close(arrived)
			<-r.Context().Done()
			close(left)
		})}}
		addr, _ := start(t, proxy.Config{Policy: policy})
		ctx, cancel := context.WithCancel(t.Context())
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr, strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			<-arrived
			cancel()
		}()
		response, err := c.Do(req)
		if !errors.Is(err, context.Canceled) {
			_ = response.Body.Close()
			t.Fatalf("the request ended with %v", err)
		}
		<-left
		<-policy.done
		if r := policy.requests()[0]; r.Status != proxy.StatusClientGone {
			t.Errorf("counted as %d, %v", r.Status, r.Err)
		}
	})
}

func TestClientDisconnectEndsWaitForTarget(t *testing.T) {
	versions(t, func(t *testing.T, c *http.Client) {
		waiting := make(chan struct{})
		policy := &fixed{
			done:   make(chan struct{}, 1),
			refuse: errors.New("unused"),
			admit: func(r *proxy.Request) {
				ctx := r.Context()
				close(waiting)
				<-ctx.Done()
			},
		}
		addr, _ := start(t, proxy.Config{Policy: policy})
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			<-waiting
			cancel()
		}()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if response, err := c.Do(req); !errors.Is(err, context.Canceled) {
			_ = response.Body.Close()
			t.Fatalf("the request ended with %v", err)
		}
		<-policy.done
		if r := policy.requests()[0]; r.Status != proxy.StatusClientGone {
			t.Errorf("counted as %d, %v", r.Status, r.Err)
		}
	})
}

// nobody is an address where nothing listens.
func nobody(t *testing.T) proxy.Target {
	t.Helper()
	ln := listen(t)
	_ = ln.Close()
	return proxy.Target{Addr: ln.Addr().String(), Revision: "gone"}
}

func TestFailedConnectTriesNextTarget(t *testing.T) {
	versions(t, func(t *testing.T, c *http.Client) {
		policy := &fixed{targets: []proxy.Target{nobody(t), nobody(t), backend(t, echo)}}
		addr, _ := start(t, proxy.Config{Policy: policy})
		for _, body := range []io.Reader{strings.NewReader("hello"), io.MultiReader(strings.NewReader("hello"))} {
			response := post(t, c, "http://"+addr, body)
			got, err := io.ReadAll(response.Body)
			if want := "POST " + addr + " / hello"; string(got) != want || err != nil {
				t.Errorf("%s %q, %v", response.Status, got, err)
			}
		}
		policy.targets = policy.targets[:2]
		response := post(t, c, "http://"+addr, strings.NewReader("hello"))
		got, err := io.ReadAll(response.Body)
		if !strings.HasPrefix(string(got), `{"error":"cannot connect to revision gone: `) || err != nil || response.StatusCode != http.StatusBadGateway {
			t.Errorf("%s %q, %v", response.Status, got, err)
		}
		policy.elsewhere = &proxy.Refusal{Status: http.StatusServiceUnavailable, Text: "all wait", RetryAfter: time.Second}
		response = post(t, c, "http://"+addr, strings.NewReader("hello"))
		got, err = io.ReadAll(response.Body)
		if strings.TrimSpace(string(got)) != `{"error":"all wait"}` || err != nil || response.StatusCode != http.StatusServiceUnavailable || response.Header.Get("Retry-After") != "1" {
			t.Errorf("%s %q, %v", response.Status, got, err)
		}
	})
}

// closing is a target that answers the first request of a connection and then,
// like a server whose idle timeout comes at the wrong moment, closes it: after
// it read the next request, or at once.
type closing struct {
	after    bool // read the next request first
	requests atomic.Int64
}

func (c *closing) serve(t *testing.T) proxy.Target {
	t.Helper()
	ln := listen(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { c.one(conn) })
		}
	})
	t.Cleanup(func() {
		_ = ln.Close()
		wg.Wait()
	})
	return proxy.Target{Addr: ln.Addr().String()}
}

func (c *closing) one(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	br := bufio.NewReader(conn)
	if _, err := http.ReadRequest(br); err != nil {
		return
	}
	c.requests.Add(1)
	_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	if !c.after {
		return
	}
	if _, err := http.ReadRequest(br); err == nil {
		c.requests.Add(1)
	}
}

func TestBrokenPooledConnectionIsRetriedIfSafe(t *testing.T) {
	for _, c := range []struct {
		name, method string
		after        bool
		status       int
		requests     int64
	}{
		{"was closed before the request: any request goes again", "POST", false, 200, 2},
		{"was closed after it: what is safe goes again", "GET", true, 200, 3},
		{"was closed after it: what is not safe does not", "POST", true, 502, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := &closing{after: c.after}
			policy := &fixed{targets: []proxy.Target{server.serve(t)}}
			addr, _ := start(t, proxy.Config{Policy: policy})
			conn, br := raw(t, addr)
			request := c.method + " / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"
			if response, body := ask(t, conn, br, request); response.StatusCode != 200 {
				t.Fatalf("%s %s", response.Status, body)
			}
			if !c.after {
				time.Sleep(20 * time.Millisecond) // the close must arrive; there is nothing to wait for
			}
			response, body := ask(t, conn, br, request)
			if response.StatusCode != c.status || server.requests.Load() != c.requests {
				t.Errorf("%s %s after %d requests, want %d after %d", response.Status, body, server.requests.Load(), c.status, c.requests)
			}
		})
	}
}

// A target may close idle connections earlier than the default.
func TestPooledConnectionIsKeptForIdleTimeout(t *testing.T) {
	for idle, want := range map[time.Duration]int64{0: 1, time.Millisecond: 2} {
		var conns atomic.Int64
		server := httptest.NewUnstartedServer(http.HandlerFunc(echo))
		server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
			if s == http.StateNew {
				conns.Add(1)
			}
		}
		server.Start()
		t.Cleanup(server.Close)
		policy := &fixed{targets: []proxy.Target{{Addr: server.Listener.Addr().String()}}}
		addr, _ := start(t, proxy.Config{Policy: policy, Idle: idle})
		conn, br := raw(t, addr)
		for range 2 {
			ask(t, conn, br, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
			time.Sleep(5 * time.Millisecond) // longer than the second
		}
		if got := conns.Load(); got != want {
			t.Errorf("idle for %v: %d connections, want %d", idle, got, want)
		}
	}
}

// A model may need longer to start than a response may take.
func TestLongWaitForTargetDoesNotTimeOutResponse(t *testing.T) {
	target := backend(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, r.Body) })
	policy := &fixed{targets: []proxy.Target{target}, admit: func(r *proxy.Request) {
		r.Context() // as an Attempt does that waits
		r.Start = r.Start.Add(-10 * time.Second)
	}}
	addr, _ := start(t, proxy.Config{Policy: policy})
	for range 2 { // on a new connection, and on one of the pool
		res, err := (&http.Client{Timeout: 10 * time.Second}).Post("http://"+addr, "text/plain", strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		_ = res.Body.Close() // read to its end
		if err != nil || string(body) != "hello" {
			t.Errorf("%s: %q, %v", res.Status, body, err)
		}
	}
}

func TestRequestThatWaitedSurvivesBrokenPooledConnection(t *testing.T) {
	waiting, release := make(chan struct{}), make(chan struct{})
	policy := &fixed{
		targets: []proxy.Target{(&closing{}).serve(t)},
		admit: func(r *proxy.Request) {
			if r.Path == "/held" {
				close(waiting)
				<-release
			}
		},
	}
	addr, _ := start(t, proxy.Config{Policy: policy})
	held, answer := raw(t, addr)
	if _, err := io.WriteString(held, "POST /held HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	<-waiting
	conn, br := raw(t, addr)
	if response, body := ask(t, conn, br, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"); response.StatusCode != 200 {
		t.Errorf("%s %s", response.Status, body)
	}
	time.Sleep(20 * time.Millisecond) // the close must arrive; there is nothing to wait for
	close(release)
	if response, body := ask(t, held, answer, ""); response.StatusCode != 200 {
		t.Errorf("%s %s", response.Status, body)
	}
}

func TestMalformedBodyIsNotForwarded(t *testing.T) {
	for _, body := range []string{
		"x\r\n", "-1\r\n\r\n", "1\nx\n0\n\n", "1\r\nxx\r\n0\r\n\r\n", "ffffffffffffffff\r\n", "0x1\r\nx\r\n0\r\n\r\n", "1 1\r\nx\r\n0\r\n\r\n",
		"0\r\nno trailer\r\n\r\n", "0\r\n folded: 1\r\n\r\n",
	} {
		var whole atomic.Bool
		policy := &fixed{targets: []proxy.Target{backend(t, func(_ http.ResponseWriter, r *http.Request) {
			if _, err := io.Copy(io.Discard, r.Body); err == nil {
				whole.Store(true)
			}
		})}}
		addr, stop := start(t, proxy.Config{Policy: policy})
		conn, br := raw(t, addr)
		if _, err := io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"+body); err != nil {
			t.Fatal(err)
		}
		response, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatalf("%.20q: %v", body, err)
		}
		_ = response.Body.Close()
		if response.StatusCode != http.StatusBadRequest {
			t.Errorf("%.20q was answered with %s", body, response.Status)
		}
		stop()
		if whole.Load() {
			t.Errorf("%.20q passed", body)
		}
	}
}

func TestStoppingLosesNoRequest(t *testing.T) {
	versions(t, func(t *testing.T, c *http.Client) {
		arrived, release := make(chan struct{}, 8), make(chan struct{})
		policy := &fixed{targets: []proxy.Target{backend(t, func(w http.ResponseWriter, r *http.Request) {
			arrived <- struct{}{}
			<-release
			fmt.Fprint(w, "done")
		})}}
		addr, stop := start(t, proxy.Config{Policy: policy})
		var wg sync.WaitGroup
		for range cap(arrived) {
			wg.Go(func() {
				response := post(t, c, "http://"+addr, strings.NewReader("x"))
				body, err := io.ReadAll(response.Body)
				if string(body) != "done" || err != nil {
					t.Errorf("%s %q, %v", response.Status, body, err)
				}
			})
		}
		for range cap(arrived) {
			<-arrived
		}
		stopped := make(chan struct{})
		go func() {
			stop()
			close(stopped)
		}()
		for { // until nobody listens any more
			conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
			if err != nil {
				break
			}
			_ = conn.Close()
		}
		select {
		case <-stopped:
			t.Error("it stopped with requests in flight")
		default:
		}
		close(release)
		wg.Wait()
		<-stopped
	})
}

func TestStoppingAbortsRequestsAfterDrainTimeout(t *testing.T) {
	for _, began := range []bool{false, true} {
		t.Run(fmt.Sprintf("response began %v", began), func(t *testing.T) {
			versions(t, func(t *testing.T, c *http.Client) {
				arrived := make(chan struct{})
				policy := &fixed{targets: []proxy.Target{backend(t, func(w http.ResponseWriter, r *http.Request) {
					if began {
						w.WriteHeader(http.StatusOK)
						_ = http.NewResponseController(w).Flush()
					}
					close(arrived)
					<-r.Context().Done()
				})}}
				addr, stop := start(t, proxy.Config{Policy: policy, Drain: 100 * time.Millisecond})
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr, http.NoBody)
					if err != nil {
						t.Error(err)
						return
					}
					if response, err := c.Do(req); err == nil {
						_, _ = io.Copy(io.Discard, response.Body)
						_ = response.Body.Close()
					}
				}()
				<-arrived
				stop()
				<-ended
			})
		})
	}
}

func TestIdleConnectionMaySendRequestWhileStopping(t *testing.T) {
	policy := &fixed{targets: []proxy.Target{backend(t, echo)}}
	addr, stop := start(t, proxy.Config{Policy: policy})
	conn, br := raw(t, addr)
	request := "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	ask(t, conn, br, request)
	stopped := make(chan struct{})
	go func() {
		stop()
		close(stopped)
	}()
	for { // until nobody listens any more
		other, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			break
		}
		_ = other.Close()
	}
	if response, _ := ask(t, conn, br, request); response.StatusCode != 200 || !response.Close {
		t.Errorf("%s, close %v", response.Status, response.Close)
	}
	<-stopped
}

func TestPipelinedRequestsAreAnsweredInOrder(t *testing.T) {
	policy := &fixed{targets: []proxy.Target{backend(t, func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "hello")
	})}}
	addr, _ := start(t, proxy.Config{Policy: policy})
	conn, br := raw(t, addr)
	// Three requests at once: pipelining clients get their answers in order.
	request := "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	if _, err := io.WriteString(conn, request+request); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		response, body := ask(t, conn, br, request)
		request = ""
		if response.StatusCode != 200 || body != "hello" {
			t.Fatalf("%s %q", response.Status, body)
		}
	}
}

func TestClientDisconnectEndsSilentStream(t *testing.T) {
	versions(t, func(t *testing.T, c *http.Client) {
		for _, body := range []io.Reader{http.NoBody, io.MultiReader(strings.NewReader("streamed"))} {
			left := make(chan struct{})
			policy := &fixed{targets: []proxy.Target{backend(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				fmt.Fprint(w, "hello")
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
				close(left)
			})}}
			addr, _ := start(t, proxy.Config{Policy: policy})
			ctx, cancel := context.WithCancel(t.Context())
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr, body)
			if err != nil {
				t.Fatal(err)
			}
			response, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := io.ReadFull(response.Body, make([]byte, 5)); err != nil {
				t.Error(err)
			}
			cancel()
			_ = response.Body.Close()
			<-left
		}
	})
}

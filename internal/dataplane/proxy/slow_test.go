// SPDX-License-Identifier: Apache-2.0

package proxy_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/serin-dev/serin/internal/dataplane/proxy"
)

// quick are limits that a test can wait for, on a machine that is busy.
var quick = proxy.Limits{
	ClientHeader: 400 * time.Millisecond,
	ClientBody:   800 * time.Millisecond,
	RequestRate:  1000,
	RateGrace:    500 * time.Millisecond,
	Send:         600 * time.Millisecond,
	ResponseRate: 1000,
	StreamIdle:   900 * time.Millisecond,
}

// drip writes text byte by byte, far more slowly than quick allows, until the
// other side has enough.
func drip(w io.Writer, text string) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for i := range len(text) {
		<-tick.C
		if _, err := io.WriteString(w, text[i:i+1]); err != nil {
			return
		}
	}
}

// dripping is a body that never ends in time.
type dripping struct{ io.Reader }

func newDripping(t *testing.T, first string) dripping {
	t.Helper()
	r, w := io.Pipe()
	go func() {
		_, _ = io.WriteString(w, first) // until the reader is closed
		drip(w, strings.Repeat("x", 1000))
	}()
	t.Cleanup(func() { _ = r.Close() })
	return dripping{r}
}

// together runs tests at the same time: they wait, and need no processor.
func together(t *testing.T, tests map[string]func(*testing.T)) {
	t.Helper()
	var running sync.WaitGroup
	for name, test := range tests {
		running.Go(func() { t.Run(name, test) })
	}
	running.Wait()
}

// bothVersions runs a test with a client of each HTTP version.
func bothVersions(t *testing.T, test func(t *testing.T, c *http.Client)) {
	t.Helper()
	together(t, map[string]func(*testing.T){
		"HTTP/1.1": func(t *testing.T) { t.Helper(); test(t, client(t, false)) },
		"HTTP/2":   func(t *testing.T) { t.Helper(); test(t, client(t, true)) },
	})
}

func TestSlowHTTP1RequestIsEnded(t *testing.T) {
	t.Parallel()
	const head = "POST / HTTP/1.1\r\nHost: x\r\n"
	large := strings.Repeat("x", 20_000)
	tests := map[string]func(*testing.T){}
	for _, c := range []struct {
		name, send, drip string
		admitted         int64 // whether it got a place, for at most the grace
		status           int
	}{
		{"its head", "GET / HT", "TP/1.1\r\nHost: x\r\nX: " + large, 0, 408},
		{"line ends before it", "\r\n", strings.Repeat("\r\n", 1000), 0, 408},
		{"a small body", head + "Content-Length: 100\r\n\r\n", large, 0, 408},
		{"a small body of a GET", "GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nx", large, 0, 408},
		{"a body that was asked for", head + "Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n", large, 0, 408},
		{"the end of a large body", head + "Content-Length: 30000\r\n\r\n" + large, large, 1, 408},
		{"chunks", head + "Transfer-Encoding: chunked\r\n\r\n", strings.Repeat("1\r\nx\r\n", 200), 1, 408},
		{"a chunk", head + "Transfer-Encoding: chunked\r\n\r\n100000\r\n", large, 1, 408},
		{"a chunk's extension", head + "Transfer-Encoding: chunked\r\n\r\n5;", large, 1, 408},
		{"a large body's extension", head + "Transfer-Encoding: chunked\r\n\r\n4e20\r\n" + large + "\r\n5;", large, 1, 408},
		{"trailers", head + "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n", strings.Repeat("a: b\r\n", 200), 1, 408},
	} {
		tests[c.name] = func(t *testing.T) {
			var admitted atomic.Int64
			policy := &fixed{done: make(chan struct{}, 1), targets: []proxy.Target{backend(t, echo)}, admit: func(*proxy.Request) { admitted.Add(1) }}
			addr, stop := start(t, proxy.Config{Policy: policy, Limits: quick})
			conn, br := raw(t, addr)
			if _, err := io.WriteString(conn, c.send); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			go drip(conn, c.drip)
			var response *http.Response
			for response == nil || response.StatusCode == http.StatusContinue {
				var err error
				if response, err = http.ReadResponse(br, nil); err != nil {
					t.Fatal(err)
				}
			}
			body, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if response.StatusCode != c.status || err != nil {
				t.Errorf("%s %s, %v", response.Status, body, err)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			_ = conn.Close()
			stop()
			if got := admitted.Load(); got != c.admitted {
				t.Errorf("it was admitted %d times, want %d", got, c.admitted)
			}
		}
	}
	together(t, tests)
}

func TestSlowHTTP2RequestIsEnded(t *testing.T) {
	t.Parallel()
	tests := map[string]func(*testing.T){}
	for _, c := range []struct {
		name, contentType, first string
		length                   int64
		admitted                 int64
		status                   int
		grpc                     string
	}{
		{"of a small known length", "", "", 1000, 0, 408, ""},
		{"of a large known length", "", strings.Repeat("x", 20_000), 30_000, 1, 408, ""},
		{"of unknown length", "", "", -1, 1, 408, ""},
		{"within a gRPC message", "application/grpc", "\x00\x00\x00\x03\x00", -1, 1, 200, "4"},
		{"within a later message", "application/grpc", "\x00\x00\x00\x00\x01a", -1, 1, 200, "4"},
	} {
		tests[c.name] = func(t *testing.T) {
			var admitted atomic.Int64
			policy := &fixed{targets: []proxy.Target{backend(t, echo)}, admit: func(*proxy.Request) { admitted.Add(1) }}
			addr, _ := start(t, proxy.Config{Policy: policy, Limits: quick})
			body := newDripping(t, c.first)
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr, body)
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength = c.length
			req.Header.Set("Content-Type", c.contentType)
			began := time.Now()
			response, err := client(t, true).Do(req)
			if err != nil {
				t.Fatal(err)
			}
			text, _ := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if response.StatusCode != c.status || response.Header.Get("Grpc-Status") != c.grpc {
				t.Errorf("%s %v %s", response.Status, response.Header, text)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("it took %v", took)
			}
			if got := admitted.Load(); got != c.admitted {
				t.Errorf("it was admitted %d times, want %d", got, c.admitted)
			}
		}
	}
	together(t, tests)
}

func TestGRPCCallWithoutMessageIsEnded(t *testing.T) {
	t.Parallel()
	policy := &fixed{targets: []proxy.Target{grpcBackend(t)}}
	addr, _ := start(t, proxy.Config{Policy: policy, Limits: quick})
	stream, err := grpcClient(t, addr).FullDuplexCall(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stream.Recv(); status.Code(err) != codes.DeadlineExceeded {
		t.Errorf("it ended with %v", err)
	}
}

func TestGRPCMessageAfterSilenceHasFullGrace(t *testing.T) {
	t.Parallel()
	policy := &fixed{targets: []proxy.Target{backend(t, echo)}}
	addr, _ := start(t, proxy.Config{Policy: policy, Limits: quick})
	r, w := io.Pipe()
	go func() {
		fmt.Fprint(w, "\x00\x00\x00\x00\x01a")
		time.Sleep(3 * quick.RateGrace)
		fmt.Fprint(w, "\x00\x00\x00\x00\x02b")
		time.Sleep(quick.RateGrace / 2)
		fmt.Fprint(w, "c")
		_ = w.Close()
	}()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr, r)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	response, err := client(t, true).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if !strings.HasSuffix(string(got), "\x00\x00\x00\x00\x02bc") || err != nil {
		t.Errorf("%s %v %q, %v", response.Status, response.Header, got, err)
	}
}

// A body at the minimum rate is not ended, however long it takes and its request
// waits.
func TestSteadyUploadIsNotEnded(t *testing.T) {
	t.Parallel()
	bothVersions(t, func(t *testing.T, c *http.Client) {
		t.Helper()
		policy := &fixed{
			targets: []proxy.Target{backend(t, func(w http.ResponseWriter, r *http.Request) {
				n, err := io.Copy(io.Discard, r.Body)
				fmt.Fprint(w, n, err)
			})},
			admit: func(*proxy.Request) { time.Sleep(2 * quick.RateGrace) }, // a slow wait queue
		}
		addr, _ := start(t, proxy.Config{Policy: policy, Limits: quick})
		const readResult, pieces = 500, 80
		for _, length := range []int64{-1, readResult * pieces, readResult} {
			r, w := io.Pipe()
			go func() {
				for range max(1, min(pieces, length/readResult)) {
					time.Sleep(20 * time.Millisecond)
					_, _ = w.Write(make([]byte, readResult)) // shows in what arrives
				}
				_ = w.Close()
			}()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+addr, r)
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength = length
			response, err := c.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			got, err := io.ReadAll(response.Body)
			_ = response.Body.Close()
			if want := fmt.Sprint(max(1, min(pieces, length/readResult))*readResult, nil); length > 0 && string(got) != want || err != nil || response.StatusCode != 200 {
				t.Errorf("length %d: %s %q, %v", length, response.Status, got, err)
			}
		}
	})
}

func TestClientThatReadsNothingIsDisconnected(t *testing.T) {
	t.Parallel()
	bothVersions(t, func(t *testing.T, c *http.Client) {
		t.Helper()
		policy := &fixed{done: make(chan struct{}, 1), targets: []proxy.Target{backend(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.CopyN(w, zeros{}, 1<<30)
		})}}
		addr, _ := start(t, proxy.Config{Policy: policy, Limits: quick})
		response := post(t, c, "http://"+addr, http.NoBody)
		<-policy.done
		if r := policy.requests()[0]; r.Err == nil || r.Sent > 1<<29 {
			t.Errorf("%d bytes sent, %v", r.Sent, r.Err)
		}
		if _, err := io.Copy(io.Discard, response.Body); err == nil {
			t.Error("the client got everything")
		}
	})
}

func TestSlowlyReadingClientGetsWholeResponse(t *testing.T) {
	t.Parallel()
	bothVersions(t, func(t *testing.T, c *http.Client) {
		t.Helper()
		const size = 24 << 20
		policy := &fixed{targets: []proxy.Target{backend(t, func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.CopyN(w, zeros{}, size)
		})}}
		addr, _ := start(t, proxy.Config{Policy: policy, Limits: quick})
		response := post(t, c, "http://"+addr, http.NoBody)
		var total int64
		for {
			n, err := io.CopyN(io.Discard, response.Body, size/20)
			total += n
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("after %d bytes: %v", total, err)
			}
			time.Sleep(quick.Send / 3) // as one who does something with it
		}
		if total != size {
			t.Errorf("%d bytes", total)
		}
	})
}

func TestSilentStreamIsEnded(t *testing.T) {
	t.Parallel()
	bothVersions(t, func(t *testing.T, c *http.Client) {
		t.Helper()
		policy := &fixed{done: make(chan struct{}, 1), targets: []proxy.Target{backend(t, func(w http.ResponseWriter, r *http.Request) {
			for range 6 { // twice as long as it may be silent
				fmt.Fprint(w, "data: x\n\n")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(quick.StreamIdle / 3)
			}
			<-r.Context().Done()
		})}}
		addr, _ := start(t, proxy.Config{Policy: policy, Limits: quick})
		response := post(t, c, "http://"+addr, http.NoBody)
		got, err := io.ReadAll(response.Body)
		if want := strings.Repeat("data: x\n\n", 6); string(got) != want || err == nil {
			t.Errorf("got %q, %v", got, err)
		}
		<-policy.done
		if r := policy.requests()[0]; r.Err == nil && !strings.HasPrefix(r.Protocol, "HTTP/2") {
			t.Error("it ended well")
		}
	})
}

func TestOneWayStreamIsKept(t *testing.T) {
	t.Parallel()
	bothVersions(t, func(t *testing.T, c *http.Client) {
		t.Helper()
		policy := &fixed{targets: []proxy.Target{backend(t, func(w http.ResponseWriter, r *http.Request) {
			rc := http.NewResponseController(w)
			_ = rc.EnableFullDuplex() // HTTP/2 always is
			_ = rc.Flush()
			n, err := io.Copy(io.Discard, r.Body)
			fmt.Fprint(w, n, err)
		})}}
		addr, _ := start(t, proxy.Config{Policy: policy, Limits: quick})
		body, send := io.Pipe()
		response := post(t, c, "http://"+addr, body)
		for range 6 {
			time.Sleep(quick.StreamIdle / 3)
			fmt.Fprint(send, "x")
		}
		_ = send.Close()
		if got, err := io.ReadAll(response.Body); string(got) != "6 <nil>" || err != nil {
			t.Errorf("got %q, %v", got, err)
		}
	})
}

func TestSilentTunnelIsEnded(t *testing.T) {
	t.Parallel()
	var upgrader websocket.Upgrader
	policy := &fixed{done: make(chan struct{}, 1), targets: []proxy.Target{backend(t, func(w http.ResponseWriter, r *http.Request) {
		ws, err := upgrader.Upgrade(w, r, nil)
		if err != nil {
			t.Error(err)
			return
		}
		for {
			if _, _, err := ws.ReadMessage(); err != nil {
				_ = ws.Close()
				return
			}
		}
	})}}
	addr, _ := start(t, proxy.Config{Policy: policy, Limits: quick})
	ws, response, err := websocket.DefaultDialer.DialContext(t.Context(), "ws://"+addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	defer func() { _ = ws.Close() }()
	for range 6 { // one direction only
		time.Sleep(quick.StreamIdle / 3)
		if err := ws.WriteMessage(websocket.TextMessage, []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := ws.ReadMessage(); err == nil {
		t.Error("got a message")
	}
	<-policy.done
}

func TestTargetThatReadsNothingTimesOut(t *testing.T) {
	t.Parallel()
	ln := listen(t)
	accepted := make(chan net.Conn, 1)
	go func() {
		if conn, err := ln.Accept(); err == nil {
			accepted <- conn
		}
	}()
	defer func() {
		_ = ln.Close()
		_ = (<-accepted).Close()
	}()
	policy := &fixed{targets: []proxy.Target{{Addr: ln.Addr().String(), Timeout: 500 * time.Millisecond}}}
	addr, _ := start(t, proxy.Config{Policy: policy, Limits: quick})
	conn, br := raw(t, addr)
	go func() {
		_, _ = io.WriteString(conn, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000\r\n\r\n")
		_, _ = io.Copy(conn, zeros{}) // until the proxy closes
	}()
	response, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("%s", response.Status)
	}
}

func TestSlowResponseHeadTimesOut(t *testing.T) {
	t.Parallel()
	bothVersions(t, func(t *testing.T, c *http.Client) {
		t.Helper()
		ln := listen(t)
		var dripping sync.WaitGroup
		dripping.Go(func() {
			for {
				conn, err := ln.Accept()
				if err != nil {
					return
				}
				dripping.Go(func() {
					drip(conn, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 1000)) // until the proxy closes
					_ = conn.Close()
				})
			}
		})
		defer func() {
			_ = ln.Close()
			dripping.Wait()
		}()
		policy := &fixed{targets: []proxy.Target{{Addr: ln.Addr().String(), Timeout: 500 * time.Millisecond}}}
		addr, _ := start(t, proxy.Config{Policy: policy, Limits: quick, DetectH2: true})
		response := post(t, c, "http://"+addr, http.NoBody)
		if response.StatusCode != http.StatusGatewayTimeout {
			t.Errorf("%s", response.Status)
		}
	})
}

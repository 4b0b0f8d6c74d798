// SPDX-License-Identifier: Apache-2.0

package queue_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/serin-dev/serin/internal/dataplane/proxy"
	"github.com/serin-dev/serin/internal/dataplane/queue"
)

// Clients that send their bodies slowly do not occupy the only slot, whatever they
// send and however many there are.
func TestSlowClientsOccupyNoSlot(t *testing.T) {
	limits := proxy.DefaultLimits()
	limits.ClientBody, limits.RateGrace, limits.StreamIdle = 2*time.Second, 500*time.Millisecond, time.Second
	for name, slow := range map[string]struct{ head, drip string }{
		"a small body":      {"Content-Length: 1000\r\n\r\n", "x"},
		"a large body":      {"Content-Length: 1000000\r\n\r\n", "x"},
		"a body asked for":  {"Content-Length: 1000000\r\nExpect: 100-continue\r\n\r\n", "x"},
		"a large beginning": {"Content-Length: 1000000\r\n\r\n" + strings.Repeat("x", 20_000), "x"},
		"chunks":            {"Transfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"},
		"a chunk's head":    {"Transfer-Encoding: chunked\r\n\r\n1;", "x"},
		"trailers":          {"Transfer-Encoding: chunked\r\n\r\n0\r\n", "a: b\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				n, err := io.Copy(io.Discard, r.Body)
				fmt.Fprint(w, n, err)
			}))
			t.Cleanup(server.Close)
			q := startBefore(t, queue.Config{ModelServer: server.Listener.Addr().String(), Concurrency: 1, Timeout: time.Minute, Limits: limits})
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			for range 8 { // each retries when it was refused
				wg.Go(func() {
					for ctx.Err() == nil {
						drip(ctx, strings.TrimPrefix(q.url, "http://"), "POST / HTTP/1.1\r\nHost: x\r\n"+slow.head, slow.drip)
					}
				})
			}
			for range 4 {
				began := time.Now()
				status, body := q.get(t.Context(), q.url)
				if took := time.Since(began); status != 200 || took > 5*time.Second {
					t.Errorf("%d %s after %v", status, body, took)
				}
			}
			cancel()
			wg.Wait()
		})
	}
}

// drip sends a head, and then little repeatedly until there is a response.
func drip(ctx context.Context, addr, head, little string) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	_, err = io.WriteString(conn, head)
	answered := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, conn) // until either side closes
		close(answered)
	}()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for err == nil {
		select {
		case <-tick.C:
			_, err = io.WriteString(conn, little)
		case <-answered:
			return
		}
	}
	_ = conn.Close()
	<-answered
}

func TestMaxPendingLimitsWaitingRequests(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	t.Cleanup(server.Close)
	q := startBefore(t, queue.Config{ModelServer: server.Listener.Addr().String(), Concurrency: 1, MaxPending: 2, Timeout: time.Minute})
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() { q.get(t.Context(), q.url) })
	}
	q.await("serin_queue_waiting", "2")
	if status, body := q.get(t.Context(), q.url); status != http.StatusServiceUnavailable || !strings.Contains(body, "and 2 more wait already") {
		t.Errorf("%d %s", status, body)
	}
	close(release)
	wg.Wait()
}

// SPDX-License-Identifier: Apache-2.0

package queue_test

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/serin-dev/serin/internal/dataplane/queue"
)

// askGRPC sends an HTTP/2 request that says it is a gRPC call, and returns its status.
func askGRPC(t *testing.T, url string) int {
	t.Helper()
	tr := &http.Transport{Protocols: new(http.Protocols)}
	tr.Protocols.SetUnencryptedHTTP2(true)
	defer tr.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/grpc")
	response, err := tr.RoundTrip(req)
	if err != nil {
		t.Error(err)
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

// serverOfGRPC serves HTTP/2 at ln.
func serverOfGRPC(t *testing.T, ln net.Listener, handle http.HandlerFunc) {
	t.Helper()
	server := httptest.NewUnstartedServer(handle)
	_ = server.Listener.Close() // ln takes its place
	server.Listener = ln
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
}

// Calls and requests share the slots, the metrics and the drain.
func TestPortsShareOneLimit(t *testing.T) {
	arrived, release := make(chan string), make(chan struct{})
	wait := func(name string) http.HandlerFunc {
		return func(http.ResponseWriter, *http.Request) {
			arrived <- name
			<-release
		}
	}
	server := httptest.NewServer(wait("http"))
	t.Cleanup(server.Close)
	ln := listen(t)
	serverOfGRPC(t, ln, wait("grpc"))
	q := startBefore(t, queue.Config{ModelServer: server.Listener.Addr().String(), GRPC: ln.Addr().String(), Concurrency: 1, Timeout: time.Minute})

	var wg sync.WaitGroup
	request := func() {
		wg.Go(func() {
			if status, body := q.get(t.Context(), q.url); status != 200 {
				t.Errorf("request: %d %s", status, body)
			}
		})
	}
	call := func() {
		wg.Go(func() {
			if status := askGRPC(t, q.url); status != 200 {
				t.Errorf("call: %d", status)
			}
		})
	}
	var order []string
	for i, ask := range []func(){request, call, request, call} { // one after another, so that their order is known
		ask()
		if i == 0 {
			order = append(order, <-arrived)
		}
		q.await("serin_queue_waiting", fmt.Sprint(i))
	}
	if got := q.metric("serin_queue_in_flight"); got != "1" {
		t.Errorf("%s in flight", got)
	}
	q.stop()
	for range 3 {
		release <- struct{}{}
		order = append(order, <-arrived)
	}
	select {
	case <-q.ended:
		t.Error("ended with a call in flight")
	default:
	}
	close(release)
	wg.Wait()
	if got, want := strings.Join(order, " "), "http grpc http grpc"; got != want {
		t.Errorf("arrived: %s, want %s", got, want)
	}
	<-q.ended
}

func TestReadinessWaitsForGRPC(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	ln := listen(t)
	addr := ln.Addr().String()
	if err := ln.Close(); err != nil { // now the address refuses connections
		t.Fatal(err)
	}
	cfg := queue.Config{ModelServer: server.Listener.Addr().String(), GRPC: addr, Timeout: time.Minute}
	unprobed := startBefore(t, cfg)
	cfg.ProbeGRPC = true
	var log strings.Builder
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	probed := startBefore(t, cfg)
	if status, body := unprobed.get(t.Context(), unprobed.admin+"/ready"); status != 200 {
		t.Errorf("without a probe: %d %s", status, body)
	}
	status, body := probed.get(t.Context(), probed.admin+"/ready")
	if want := "the model server's port for gRPC accepts no connection: dial tcp " + addr; status != 503 || !strings.HasPrefix(body, want) {
		t.Errorf("before it listens: %d %s", status, body)
	}
	_, _ = probed.get(t.Context(), probed.admin+"/ready")
	var wg sync.WaitGroup
	wg.Go(func() { // a call waits for the port
		if status := askGRPC(t, unprobed.url); status != 200 {
			t.Errorf("call: %d", status)
		}
	})
	unprobed.await("serin_queue_in_flight", "1")
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	serverOfGRPC(t, ln, func(http.ResponseWriter, *http.Request) {})
	wg.Wait()
	if status, body := probed.get(t.Context(), probed.admin+"/ready"); status != 200 {
		t.Errorf("while it listens: %d %s", status, body)
	}
	probed.stop()
	<-probed.ended
	_, said, _ := strings.Cut(log.String(), "accepts no connection")
	if said, after, ok := strings.Cut(said, "gRPC accepts connections"); !ok || strings.Contains(said+after, "accepts") {
		t.Errorf("the log does not say once that it was closed, and then that it is open:\n%s", log.String())
	}
}

// SPDX-License-Identifier: Apache-2.0

package queue_test

import (
	"context"
	"errors"
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

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/serin-dev/serin/internal/dataplane/queue"
	"github.com/serin-dev/serin/internal/testkit/eventually"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// running is a queue in front of the model server of a test.
type running struct {
	t          *testing.T
	url, admin string
	client     *http.Client
	stop       context.CancelFunc
	ended      chan struct{}
}

func start(t *testing.T, concurrency int, timeout time.Duration, model http.HandlerFunc) *running {
	t.Helper()
	server := httptest.NewServer(model)
	t.Cleanup(server.Close)
	return startBefore(t, queue.Config{ModelServer: server.Listener.Addr().String(), Concurrency: concurrency, Timeout: timeout})
}

// startBefore starts a queue in front of a model server that may not run yet.
func startBefore(t *testing.T, cfg queue.Config) *running {
	t.Helper()
	requests, admin := listen(t), listen(t)
	ctx, cancel := context.WithCancel(t.Context())
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	q := &running{
		t: t, url: "http://" + requests.Addr().String(), admin: "http://" + admin.Addr().String(),
		client: &http.Client{Transport: transport}, stop: cancel, ended: make(chan struct{}),
	}
	go func() {
		defer close(q.ended)
		cfg.Listener, cfg.Admin = requests, admin
		if cfg.Log == nil {
			cfg.Log = slog.New(slog.NewTextHandler(t.Output(), nil))
		}
		if err := queue.Run(ctx, cfg); err != nil {
			t.Errorf("run: %v", err)
		}
	}()
	t.Cleanup(func() {
		cancel()
		select {
		case <-q.ended:
		case <-time.After(20 * time.Second):
			t.Error("the queue did not end")
		}
		transport.CloseIdleConnections()
	})
	return q
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// get returns status and body, or status 0 and the error.
func (q *running) get(ctx context.Context, url string) (int, string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, err.Error()
	}
	response, err := q.client.Do(req)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(body)
}

// metric returns the value of a metric as text.
func (q *running) metric(name string) string {
	q.t.Helper()
	_, body := q.get(q.t.Context(), q.admin+"/metrics")
	for line := range strings.Lines(body) {
		if rest, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(rest)
		}
	}
	return "none in:\n" + body
}

// await waits until a metric has a value.
func (q *running) await(name, want string) {
	q.t.Helper()
	err := eventually.Within(context.Background(), 10*time.Second, 2*time.Millisecond, func(context.Context) (any, bool) {
		got := q.metric(name)
		return got, got == want
	})
	if err != nil {
		q.t.Fatalf("%s is %s: %v", name, want, err)
	}
}

func TestConcurrencyIsLimitedAndOrderIsKept(t *testing.T) {
	arrived, release := make(chan string), make(chan struct{})
	q := start(t, 2, time.Minute, func(_ http.ResponseWriter, r *http.Request) {
		arrived <- r.URL.Path
		<-release
	})
	var wg sync.WaitGroup
	ask := func(path string) {
		wg.Go(func() {
			if status, body := q.get(t.Context(), q.url+path); status != 200 {
				t.Errorf("%s: %d %s", path, status, body)
			}
		})
	}
	ask("/a")
	ask("/b")
	<-arrived
	<-arrived
	var order []string
	for i := range 4 { // one after another, so that their order is known
		ask(fmt.Sprint("/", i))
		q.await("serin_queue_waiting", fmt.Sprint(i+1))
	}
	if got := q.metric("serin_queue_in_flight"); got != "2" {
		t.Errorf("%s in flight", got)
	}
	for range 4 {
		release <- struct{}{} // ends one of two, so that one more comes
		order = append(order, <-arrived)
	}
	close(release)
	wg.Wait()
	if diff := cmp.Diff([]string{"/0", "/1", "/2", "/3"}, order); diff != "" {
		t.Errorf("the order of waiting requests: %s", diff)
	}
	q.await("serin_queue_in_flight", "0")
	if got := q.metric(`serin_queue_requests_total{code="2xx"}`); got != "6" {
		t.Errorf("%s requests counted", got)
	}
}

func TestFullQueueRefusesRequests(t *testing.T) {
	release := make(chan struct{})
	q := start(t, 1, time.Minute, func(http.ResponseWriter, *http.Request) { <-release })
	var wg sync.WaitGroup
	for range 101 {
		wg.Go(func() {
			if status, body := q.get(t.Context(), q.url); status != 200 {
				t.Errorf("%d %s", status, body)
			}
		})
	}
	q.await("serin_queue_waiting", "100")
	status, body := q.get(t.Context(), q.url)
	want := `{"error":"this Pod serves 1 requests at once (containerConcurrency), and 100 more wait already"}` + "\n"
	if diff := cmp.Diff(want, body); diff != "" || status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", status, diff)
	}
	close(release)
	wg.Wait()
}

func TestWaitForSlotHasTimeout(t *testing.T) {
	release := make(chan struct{})
	q := start(t, 1, 200*time.Millisecond, func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).Flush() // the response begins in time and ends late
		<-release
	})
	first := make(chan struct{})
	go func() {
		defer close(first)
		q.get(t.Context(), q.url)
	}()
	q.await("serin_queue_in_flight", "1")
	status, body := q.get(t.Context(), q.url)
	if want := "none ended within 200ms"; status != http.StatusServiceUnavailable || !strings.Contains(body, want) {
		t.Errorf("%d %s", status, body)
	}
	close(release)
	<-first
}

func TestClientDisconnectEndsWaitForSlot(t *testing.T) {
	arrived, release := make(chan struct{}, 2), make(chan struct{})
	q := start(t, 1, time.Minute, func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-release
	})
	var wg sync.WaitGroup
	wg.Go(func() { q.get(t.Context(), q.url) })
	<-arrived
	ctx, cancel := context.WithCancel(t.Context())
	wg.Go(func() { q.get(ctx, q.url) })
	q.await("serin_queue_waiting", "1")
	cancel()
	q.await("serin_queue_waiting", "0")
	close(release)
	wg.Wait()
	if status, body := q.get(t.Context(), q.url); status != 200 {
		t.Errorf("%d %s", status, body)
	}
}

// comesBack starts a model server at an address that was in use before.
func comesBack(t *testing.T, target string) {
	t.Helper()
	ln, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", target)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "back") }))
	server.Listener = ln
	server.Start()
	t.Cleanup(server.Close)
}

func TestRequestsWaitForRestartOfModelServer(t *testing.T) {
	ln := listen(t)
	target := ln.Addr().String()
	if err := ln.Close(); err != nil { // now the address refuses connections
		t.Fatal(err)
	}
	q := startBefore(t, queue.Config{ModelServer: target, Timeout: time.Minute})
	var wg sync.WaitGroup
	wg.Go(func() {
		if status, body := q.get(t.Context(), q.url); status != 200 || body != "back" {
			t.Errorf("%d %s", status, body)
		}
	})
	q.await("serin_queue_in_flight", "1")
	comesBack(t, target)
	wg.Wait()
}

// The time that a request waited for a slot does not count.
func TestRequestThatWaitedForSlotWaitsForRestart(t *testing.T) {
	const restartWait = 3 * time.Second
	target := listen(t)
	q := startBefore(t, queue.Config{ModelServer: target.Addr().String(), Concurrency: 1, Timeout: time.Minute, RestartWait: restartWait})
	// The model server takes one connection, and dies with it when the second
	// request has waited for longer than that.
	var wg sync.WaitGroup
	wg.Go(func() { q.get(t.Context(), q.url) })
	first, err := target.Accept()
	if err != nil {
		t.Fatal(err)
	}
	wg.Go(func() {
		if status, body := q.get(t.Context(), q.url); status != 200 || body != "back" {
			t.Errorf("%d %s", status, body)
		}
	})
	q.await("serin_queue_waiting", "1")
	<-time.After(restartWait)
	if err := errors.Join(target.Close(), first.Close()); err != nil {
		t.Fatal(err)
	}
	q.await("serin_queue_waiting", "0")
	comesBack(t, target.Addr().String())
	wg.Wait()
}

// A failed probe ends only the model server. The preStop hook does not wait for its
// requests, and the queue keeps serving.
func TestPreStopHookOfModelServerAloneDoesNotWait(t *testing.T) {
	arrived, hung := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/hang" {
			close(arrived)
			<-hung
		}
		fmt.Fprint(w, "done")
	}))
	t.Cleanup(server.Close)
	q := startBefore(t, queue.Config{ModelServer: server.Listener.Addr().String(), Timeout: time.Minute, PodWait: 10 * time.Millisecond})
	var wg sync.WaitGroup
	wg.Go(func() { q.get(t.Context(), q.url+"/hang") })
	<-arrived
	if status, body := q.get(t.Context(), q.admin+"/wait-for-drain"); status != 200 || body != "the Pod goes on\n" {
		t.Errorf("wait for drain: %d %s", status, body)
	}
	for _, url := range []string{q.admin + "/ready", q.url} {
		if status, body := q.get(t.Context(), url); status != 200 {
			t.Errorf("%s afterwards: %d %s", url, status, body)
		}
	}
	close(hung)
	wg.Wait()
}

func TestMissingModelServerIsBadGateway(t *testing.T) {
	ln := listen(t)
	target := ln.Addr().String()
	if err := ln.Close(); err != nil {
		t.Fatal(err)
	}
	q := startBefore(t, queue.Config{ModelServer: target, Timeout: 100 * time.Millisecond})
	status, body := q.get(t.Context(), q.url)
	if want := "cannot connect to the service"; status != http.StatusBadGateway || !strings.Contains(body, want) {
		t.Errorf("%d %s", status, body)
	}
}

func TestDrainingLosesNoRequest(t *testing.T) {
	arrived, release := make(chan struct{}, 1), make(chan struct{})
	q := start(t, 0, time.Minute, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			arrived <- struct{}{}
			<-release
		}
		fmt.Fprint(w, "done")
	})
	if status, body := q.get(t.Context(), q.admin+"/ready"); status != 200 {
		t.Fatalf("at first: %d %s", status, body)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if status, body := q.get(t.Context(), q.url+"/slow"); status != 200 || body != "done" {
			t.Errorf("the slow request: %d %s", status, body)
		}
	})
	<-arrived
	drained := make(chan struct{})
	wg.Go(func() {
		defer close(drained)
		if status, body := q.get(t.Context(), q.admin+"/wait-for-drain"); status != 200 || body != "drained\n" {
			t.Errorf("wait for drain: %d %s", status, body)
		}
	})
	q.stop()
	for deadline := time.Now().Add(10 * time.Second); ; {
		status, body := q.get(t.Context(), q.admin+"/ready")
		if status == http.StatusServiceUnavailable {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("still ready: %d %s", status, body)
		}
	}
	if status, body := q.get(t.Context(), q.url+"/late"); status != 200 || body != "done" {
		t.Errorf("a request of a router that does not know yet: %d %s", status, body)
	}
	select {
	case <-drained:
		t.Error("drained with a request in flight")
	case <-q.ended:
		t.Error("ended with a request in flight")
	default:
	}
	close(release)
	wg.Wait()
	<-q.ended
}

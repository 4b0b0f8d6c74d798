// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"pgregory.net/rapid"

	"github.com/serin-dev/serin/internal/dataplane/proxy"
	"github.com/serin-dev/serin/internal/dataplane/routing"
)

// model is a router without connections. The test enqueues requests, and decides
// which Pods are ready and when a request ends.
type model struct {
	t       interface{ Fatalf(string, ...any) }
	router  *router
	in      routing.Input
	waiting []*waiter            // in the order of arrival
	running map[string][]*waiter // by address
	came    int
	pods    int
}

// Two services: a has revisions a-1 and a-2, b has b-1.
func newModel(t interface{ Fatalf(string, ...any) }) *model {
	m := &model{t: t, router: newRouter(Config{Domain: "example.com", Log: slog.New(slog.DiscardHandler)}), running: map[string][]*waiter{}}
	m.in.Services = []routing.Service{
		{Namespace: "n", Name: "a", Traffic: []routing.Share{{Revision: "a-1", Percent: 100}}},
		{Namespace: "n", Name: "b", Traffic: []routing.Share{{Revision: "b-1", Percent: 100}}},
	}
	m.swap()
	return m
}

func (m *model) swap() {
	m.router.use(routing.Input{Services: slices.Clone(m.in.Services), Pods: slices.Clone(m.in.Pods)})
	m.collect()
}

// start adds a ready Pod. Revisions have different limits.
func (m *model) start(revision string) {
	m.pods++
	m.in.Pods = append(m.in.Pods, routing.Pod{
		Namespace: "n", Revision: revision, Addr: fmt.Sprint("pod-", m.pods),
		Concurrency: map[string]int{"a-1": 0, "a-2": 1, "b-1": 2}[revision],
	})
	m.swap()
}

// come enqueues a request for a service: NAME, or NAME.NAMESPACE.
func (m *model) come(service string) *waiter {
	if !strings.Contains(service, ".") {
		service += ".n"
	}
	request := routing.Request{Host: service, Header: func(string) string { return "" }}
	choice, err := m.router.view.Load().table.Route(request)
	if err != nil {
		m.t.Fatalf("route %s: %v", service, err)
	}
	m.came++
	start := time.Unix(0, int64(m.came))
	choice.Revision.Stats.Begin(start)
	w := newWaiter(request, start, choice)
	m.waiting = append(m.waiting, w)
	m.router.enqueue(w)
	m.collect()
	return w
}

// collect records the released waiters, and checks that they were rightly released.
func (m *model) collect() {
	passed := map[*routing.RevisionStats]bool{} // an earlier request still waits
	var still []*waiter
	for _, w := range m.waiting {
		stats := w.choice.Revision.Stats
		select {
		case <-w.released:
		default:
			passed[stats] = true
			still = append(still, w)
			continue
		}
		if w.err != nil {
			stats.End(time.Now())
			continue
		}
		if passed[stats] {
			m.t.Fatalf("a request for %s came later than one that still waits", stats.Revision)
		}
		if w.endpoint.Stats != stats || !m.ready(w.endpoint) {
			m.t.Fatalf("a request for %s went to %s of %s", stats.Revision, w.endpoint.Addr, w.endpoint.Stats.Revision)
		}
		m.running[w.endpoint.Addr] = append(m.running[w.endpoint.Addr], w)
	}
	m.waiting = still
}

func (m *model) ready(e *routing.Endpoint) bool {
	return slices.ContainsFunc(m.in.Pods, func(p routing.Pod) bool { return p.Addr == e.Addr })
}

// end ends the first request at a Pod.
func (m *model) end(addr string) {
	w := m.running[addr][0]
	m.running[addr] = m.running[addr][1:]
	now := time.Now()
	w.endpoint.End()
	w.endpoint.Stats.End(now)
	m.router.ended(w.endpoint.Stats, now)
	m.collect()
}

// In every history, requests are dispatched in the order of their arrival, to ready
// Pods of a revision with traffic only, and never more than a Pod has capacity for.
// None waits while there is capacity, and none is lost.
func TestWaitQueueDispatchesInOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		m.router.queue.occupancy = occupancy{capacity: rapid.IntRange(2, 50).Draw(t, "capacity"), reserve: 1}
		for range rapid.IntRange(1, 100).Draw(t, "steps") {
			switch rapid.SampledFrom([]string{"come", "come", "come", "pod", "gone", "end", "end", "leave", "shift"}).Draw(t, "step") {
			case "come":
				m.come(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "service"))
			case "pod":
				m.start(rapid.SampledFrom([]string{"a-1", "a-2", "b-1"}).Draw(t, "revision"))
			case "gone":
				if n := len(m.in.Pods); n > 0 {
					i := rapid.IntRange(0, n-1).Draw(t, "which")
					m.in.Pods = slices.Delete(m.in.Pods, i, i+1)
					m.swap()
				}
			case "end":
				m.endAny(rapid.IntRange(0, 9).Draw(t, "which"))
			case "leave":
				if n := len(m.waiting); n > 0 {
					m.router.timeOut(m.waiting[rapid.IntRange(0, n-1).Draw(t, "who")], time.Second)
					m.collect()
				}
			case "shift":
				m.in.Services[0].Traffic = []routing.Share{{Revision: rapid.SampledFrom([]string{"a-1", "a-2"}).Draw(t, "to"), Percent: 100}}
				m.swap()
			}
			m.check()
		}
		m.finish()
	})
}

// endAny ends a request, if there is one.
func (m *model) endAny(which int) {
	var busy []string
	for addr, running := range m.running {
		if len(running) > 0 {
			busy = append(busy, addr)
		}
	}
	if len(busy) > 0 {
		slices.Sort(busy)
		m.end(busy[which%len(busy)])
	}
}

// check checks the invariants.
func (m *model) check() {
	now := time.Now()
	held := map[string]int{}
	for _, w := range m.waiting {
		held[w.choice.Revision.Name]++
		if e := w.choice.Revision.EndpointWithCapacity(now); e != nil {
			m.t.Fatalf("a request for %s waits although %s has capacity", w.choice.Revision.Name, e.Addr)
		}
	}
	if n := m.router.queue.waiting(); n != len(m.waiting) {
		m.t.Fatalf("the queue counts %d, %d wait", n, len(m.waiting))
	}
	inFlight := 0
	for r := range m.router.view.Load().table.Revisions {
		if r.Stats.Waiting() != held[r.Name] {
			m.t.Fatalf("%s counts %d, %d wait", r.Name, r.Stats.Waiting(), held[r.Name])
		}
		inFlight += r.Stats.Load(now).InFlight
	}
	running := 0
	for addr, requests := range m.running {
		for _, p := range m.in.Pods {
			if p.Addr == addr && p.Concurrency > 0 && len(requests) > 2*p.Concurrency {
				m.t.Fatalf("%s with concurrency %d got %d", addr, p.Concurrency, len(requests))
			}
		}
		running += len(requests)
	}
	if inFlight != running+len(m.waiting) {
		m.t.Fatalf("%d are counted in flight, %d run and %d wait", inFlight, running, len(m.waiting))
	}
}

// finish starts a Pod of every revision and ends all requests.
func (m *model) finish() {
	for _, r := range []string{"a-1", "a-2", "b-1"} {
		m.start(r)
	}
	for range m.came + 1 {
		m.endAny(0)
	}
	if len(m.waiting) > 0 || m.router.queue.waiting() > 0 {
		m.t.Fatalf("%d still wait", len(m.waiting))
	}
}

// refused returns the refusal of a waiter, or nothing.
func refused(w *waiter) string {
	select {
	case <-w.released:
		if r := (*proxy.Refusal)(nil); errors.As(w.err, &r) {
			return fmt.Sprint(r.Status, " ", r.Text, " ", r.RetryAfter)
		}
	default:
	}
	return ""
}

// tenant adds cold services of a namespace.
func (m *model) tenant(namespace string, services int) {
	for i := range services {
		name := fmt.Sprint("cold-", i)
		m.in.Services = append(m.in.Services, routing.Service{
			Namespace: namespace, Name: name, Traffic: []routing.Share{{Revision: namespace + "-" + name, Percent: 100}},
		})
	}
	m.swap()
}

func TestColdServiceDoesNotFillWaitQueue(t *testing.T) {
	m := newModel(t)
	var first []*waiter
	for i := range queueCapacity - queueReserve {
		w := m.come("a")
		if text := refused(w); text != "" {
			t.Fatalf("request %d: %s", i, text)
		}
		first = append(first, w)
	}
	refusals := func() float64 { return testutil.ToFloat64(m.router.metrics.refusedWaiters.WithLabelValues("n")) }
	if n := refusals(); n != 0 {
		t.Errorf("%v are counted as refused", n)
	}
	want := "503 too many requests wait already: 901 for InferenceService n/a, 901 in its namespace, 901 in all 1s"
	if diff := cmp.Diff(want, refused(m.come("a"))); diff != "" {
		t.Error(diff)
	}
	for i := range queueCapacity / 2 {
		if text := refused(m.come("b")); text != "" {
			t.Fatalf("request %d of another service: %s", i, text)
		}
	}
	if n := refusals(); n != 1+queueCapacity/2-queueReserve { // one that came, and those evicted for others
		t.Errorf("%v are counted as refused", n)
	}
	for i, w := range first { // the newest were evicted for those of b beyond the reserve
		if is, want := refused(w) != "", i >= queueCapacity/2; is != want {
			t.Fatalf("request %d: refused is %v", i, is)
		}
	}
	if text := refused(m.come("b")); text == "" {
		t.Error("another service gets more than half of the queue")
	}
	m.check()
}

func TestColdTenantDoesNotFillWaitQueue(t *testing.T) {
	for _, services := range []int{1, 10, 100, queueCapacity} {
		m := newModel(t)
		m.tenant("loud", services)
		m.tenant("quiet", 2)
		for i := range 2 * queueCapacity {
			m.come(fmt.Sprintf("cold-%d.loud", i%services))
		}
		for i := range 3 {
			w := m.come("cold-0.quiet")
			for j := range queueCapacity / 2 {
				m.come(fmt.Sprintf("cold-%d.loud", j%services))
			}
			if text := refused(w); text != "" {
				t.Errorf("%d services: request %d of the other tenant: %s", services, i, text)
			}
		}
		m.check()
	}
}

// Requests for services without traffic count for their namespace, too.
func TestRequestsForServicesWithoutTrafficShareWaitQueue(t *testing.T) {
	m := newModel(t)
	early := func(o owner) *waiter {
		m.came++
		w := newWaiter(routing.Request{}, time.Unix(0, int64(m.came)), routing.Choice{Service: &routing.Service{Namespace: o.namespace, Name: o.service}})
		m.router.enqueueEarly(w)
		return w
	}
	for range 2 * queueCapacity {
		early(owner{"loud", "new"})
	}
	if n := m.router.queue.waiting(); n != queueCapacity-queueReserve {
		t.Errorf("%d wait", n)
	}
	for i := range queueCapacity / 2 {
		if text := refused(m.come("a")); text != "" {
			t.Fatalf("request %d of another tenant: %s", i, text)
		}
	}
	w := early(owner{"third", "new"})
	if text := refused(w); text != "" {
		t.Error(text)
	}
	before := m.router.queue.waiting()
	m.router.dequeue(w)
	m.router.dequeue(w)
	if n := m.router.queue.waiting(); n != before-1 {
		t.Errorf("%d wait after one of %d left", n, before)
	}
}

// 500 requests wait for a Pod with concurrency 1, whose queue refuses requests when a
// hundred wait there.
func TestWaitingRequestsDoNotFloodPod(t *testing.T) {
	w := newWorld(t)
	w.service(target(one, 100, ""))
	w.knows(one)
	var wg sync.WaitGroup
	const requests = queueCapacity / 2
	for range requests {
		wg.Go(func() {
			if status, revision := w.ask(); status != 200 || revision != one {
				t.Errorf("%d from %q", status, revision)
			}
		})
	}
	eventually(t, "all wait", func() (string, bool) {
		n := w.router.queue.waiting()
		return fmt.Sprint(n), n == requests
	})
	slot := make(chan struct{}, 1)
	var here, most atomic.Int64
	w.concurrency = 1
	w.pod(one, true, func(rw http.ResponseWriter, _ *http.Request) {
		n := here.Add(1)
		defer here.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		if n > 101 {
			http.Error(rw, "too many", http.StatusServiceUnavailable)
			return
		}
		slot <- struct{}{}
		<-slot
	})
	wg.Wait()
	t.Logf("at most %d were at the Pod at once", most.Load())
}

// Pods start and stop, and the traffic moves between revisions, while clients send
// requests.
func TestNoRequestIsLostWhilePodsComeAndGo(t *testing.T) {
	w := newWorld(t)
	w.service(target(one, 50, ""), target(two, 50, ""))
	w.knows(one)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var clients sync.WaitGroup
	var answered atomic.Int64
	for range 16 {
		clients.Go(func() {
			for ctx.Err() == nil {
				if status, _, body := w.get("http://"+w.addr+"/", irisHost); status != 200 {
					t.Errorf("%d %s", status, body)
					return
				}
				answered.Add(1)
			}
		})
	}
	random := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test that can be repeated
	var pods []string
	for round := range 40 {
		w.concurrency = random.IntN(3)
		pods = append(pods, w.pod([]string{one, two}[round%2], true, ok).Name)
		for len(pods) > 4 || (len(pods) > 0 && random.IntN(2) == 0) {
			w.remove(pods[0])
			pods = pods[1:]
		}
		share := int64(random.IntN(101))
		w.service(target(one, share, ""), target(two, 100-share, ""))
		before := answered.Load()
		eventually(t, "requests are answered, or wait", func() (string, bool) {
			n := answered.Load() - before
			return fmt.Sprint(n), n > 20 || w.router.queue.waiting() > 0
		})
	}
	w.pod(one, true, ok)
	w.pod(two, true, ok)
	cancel()
	clients.Wait()
	t.Logf("%d requests", answered.Load())
}

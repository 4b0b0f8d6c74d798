// SPDX-License-Identifier: Apache-2.0

package router

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/serin-dev/serin/internal/dataplane/routing"
)

// Whatever becomes of a request, in the end no Pod, no revision and no wait queue
// counts it: a count that stays would keep a Pod's place, or a revision from
// scaling down, for ever.
func TestEndedRequestsAreCountedNowhere(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	gone := listen(t)
	_ = gone.Close() // connections to it are refused
	live, dead := server.Listener.Addr().String(), gone.Addr().String()

	// to is an input with all traffic on a revision, which has these Pods.
	to := func(revision string, pods ...string) routing.Input {
		in := routing.Input{Services: []routing.Service{{
			Namespace: "n", Name: "iris", HasHost: true, Traffic: []routing.Share{{Revision: revision, Percent: 100}},
		}}}
		for _, addr := range pods {
			in.Pods = append(in.Pods, routing.Pod{Namespace: "n", Revision: revision, Addr: addr, Concurrency: 1})
		}
		return in
	}
	for _, c := range []struct {
		name   string
		before routing.Input
		then   *routing.Input // while the request waits
		want   int
	}{
		{"a Pod answers", to("a", live), nil, 200},
		{"one of two Pods is gone", to("a", dead, live), nil, 200},
		{"the only Pod is gone, and another comes", to("a", dead), new(to("a", live)), 200},
		{"the only Pod is gone, and the traffic moves", to("a", dead), new(to("b", live)), 200},
		{"the only Pod is gone", to("a", dead), nil, 503},
		{"the only Pod is gone, and the traffic moves to none", to("a", dead), new(to("b")), 503},
		{"no Pod, then one that is gone", to("a"), new(to("a", dead)), 503},
		{"no Pod", to("a"), nil, 503},
	} {
		for _, http2 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, HTTP/2 %t", c.name, http2), func(t *testing.T) {
				t.Parallel()
				clients := listen(t)
				r := newRouter(Config{Listener: clients, Domain: "example.com", Log: slog.New(slog.DiscardHandler)})
				r.maxWait = 700 * time.Millisecond
				r.use(c.before)
				tables := []*routing.Table{r.view.Load().table}
				ctx, stop := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- r.run(ctx, func(context.Context) error { return nil }) }()

				status := make(chan int, 1)
				go func() { status <- ask(t, http2, clients.Addr().String()) }()
				if c.then != nil {
					eventually(t, "the request waits", func() (string, bool) { n := r.queue.waiting(); return fmt.Sprint(n), n == 1 })
					r.use(*c.then)
					tables = append(tables, r.view.Load().table)
				}
				if got := <-status; got != c.want {
					t.Errorf("status %d, want %d", got, c.want)
				}
				stop()
				if err := <-ended; err != nil {
					t.Error(err)
				}
				for i, table := range tables {
					table.Revisions(func(v *routing.Revision) bool {
						if load := v.Stats.Load(time.Now()); v.InFlight() != 0 || load.InFlight != 0 || v.Stats.Waiting() != 0 {
							t.Errorf("revision %s of table %d counts %d at Pods, %d in flight, %d waiting", v.Name, i, v.InFlight(), load.InFlight, v.Stats.Waiting())
						}
						return true
					})
				}
				if n := r.queue.waiting(); n != 0 {
					t.Errorf("%d wait", n)
				}
			})
		}
	}
}

// ask returns the status of a request to the service, or 0.
func ask(t *testing.T, http2 bool, addr string) int {
	t.Helper()
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetHTTP1(!http2)
	transport.Protocols.SetUnencryptedHTTP2(http2)
	defer transport.CloseIdleConnections()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/", http.NoBody)
	if err != nil {
		t.Error(err)
		return 0
	}
	req.Host = "iris.n.example.com"
	response, err := transport.RoundTrip(req)
	if err != nil {
		t.Error(err)
		return 0
	}
	_ = response.Body.Close()
	return response.StatusCode
}

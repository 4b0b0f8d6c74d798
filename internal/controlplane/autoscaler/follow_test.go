// SPDX-License-Identifier: Apache-2.0

package autoscaler

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/internal/report"
	"github.com/serin-dev/serin/internal/testkit/eventually"
)

// lines is a router's admin listener: it says what the test makes it say.
type lines struct {
	*httptest.Server
	say    chan report.Line
	hangUp chan struct{}
}

func serveLoad(t *testing.T) *lines {
	t.Helper()
	l := &lines{say: make(chan report.Line), hangUp: make(chan struct{})}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/load" {
			http.NotFound(w, r)
			return
		}
		for {
			select {
			case report := <-l.say:
				_ = json.NewEncoder(w).Encode(report)
				_ = http.NewResponseController(w).Flush()
			case <-l.hangUp:
				panic(http.ErrAbortHandler)
			case <-r.Context().Done():
				return
			}
		}
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *lines) address() string { return strings.TrimPrefix(l.URL, "http://") }

// followed is a follower under test.
type followed struct {
	*follower
	mu   sync.Mutex
	woke int
}

// follow starts following, and has all goroutines ended when the test ends.
func follow(t *testing.T, start func(context.Context, *follower)) *followed {
	t.Helper()
	f := &followed{follower: &follower{loads: newLoads(true), log: slog.New(slog.NewTextHandler(io.Discard, nil))}}
	f.wake = func(_ context.Context, d types.NamespacedName) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if d == iris {
			f.woke++
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { start(ctx, f.follower); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended })
	return f
}

func (f *followed) wokeTimes(n int) func(context.Context) (any, bool) {
	return func(context.Context) (any, bool) {
		f.mu.Lock()
		defer f.mu.Unlock()
		return f.woke, f.woke == n
	}
}

func TestFollowerWakesWhatHasNews(t *testing.T) {
	router := serveLoad(t)
	f := follow(t, func(ctx context.Context, f *follower) {
		f.routers = router.address()
		_ = f.run(ctx)
	})
	router.say <- report.Line{}
	router.say <- told(1, 0, 1)
	eventually.Holds(t, f.wokeTimes(1))
	if p := wanted(t, f.loads, time.Now()); p.Why != "requests are in flight" {
		t.Errorf("with a request: %+v", p)
	}
	router.say <- report.Line{} // what has no news is not woken
	router.say <- told(0, 1, 1)
	eventually.Holds(t, f.wokeTimes(2))
}

func TestFollowerHearsARouterThatLeavesToItsEnd(t *testing.T) {
	router := serveLoad(t)
	named := make(chan bool)
	f := follow(t, func(ctx context.Context, f *follower) {
		defer f.following.Wait()
		f.found(ctx, map[string]bool{router.address(): true})
		<-named
		f.found(ctx, nil)
		close(named)
	})
	router.say <- report.Line{}
	named <- false
	<-named
	router.say <- told(1, 0, 1)
	eventually.Holds(t, f.wokeTimes(1))
	router.hangUp <- struct{}{}
	eventually.Holds(t, func(context.Context) (any, bool) {
		f.loads.mu.Lock()
		defer f.loads.mu.Unlock()
		return len(f.loads.routers), len(f.loads.routers) == 0
	})
}

func TestFollowerComesBackToALostRouter(t *testing.T) {
	one, two := serveLoad(t), serveLoad(t)
	f := follow(t, func(ctx context.Context, f *follower) {
		f.loads.expect(map[string]bool{one.address(): true, two.address(): true}, time.Now())
		var both sync.WaitGroup
		for _, r := range []*lines{one, two} {
			both.Go(func() { f.follow(ctx, r.address()) })
		}
		both.Wait()
	})
	one.say <- told(1, 0, 1)
	two.say <- told(0, 0, 1)
	eventually.Holds(t, f.wokeTimes(2))
	if p := wanted(t, f.loads, time.Now()); p.Why != "requests are in flight" {
		t.Errorf("with a request at one of two routers: %+v", p)
	}
	one.hangUp <- struct{}{}
	eventually.Holds(t, func(context.Context) (any, bool) {
		p := wanted(t, f.loads, time.Now())
		return p, p.Why != "requests are in flight"
	})
	one.say <- told(1, 0, 1)
	eventually.Holds(t, f.wokeTimes(3))
	if p := wanted(t, f.loads, time.Now()); p.Why != "requests are in flight" {
		t.Errorf("with a request at the router that came back: %+v", p)
	}
}

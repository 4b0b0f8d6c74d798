// SPDX-License-Identifier: Apache-2.0

package autoscaler

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/internal/routing"
)

const (
	// resolveEvery is how soon a new router is found.
	resolveEvery = 5 * time.Second
	// silentFor is how long a router may say nothing; it speaks every second.
	silentFor = 5 * time.Second
	// reconnectAfter spaces out the attempts to reach a router.
	reconnectAfter = 250 * time.Millisecond
	// maxLine bounds what is read of one line: tens of thousands of revisions.
	maxLine = 16 << 20
)

// follower hears what the routers say of their load.
type follower struct {
	routers string // host:port
	loads   *loads
	wake    func(ctx context.Context, deployment types.NamespacedName)
	log     *slog.Logger
	client  http.Client

	listening sync.WaitGroup
}

// run finds the routers anew every few seconds and listens to each, until ctx
// ends. While their name resolves to nothing, those known are kept.
func (f *follower) run(ctx context.Context) error {
	transport := &http.Transport{} // without a proxy: routers are near
	f.client.Transport = transport
	defer transport.CloseIdleConnections()
	defer f.listening.Wait()
	tick := time.NewTicker(resolveEvery)
	defer tick.Stop()
	for {
		found, err := resolve(ctx, f.routers)
		if err != nil {
			f.log.Info("no routers found", "name", f.routers, "error", err)
		} else {
			f.found(ctx, found)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// found listens to routers that are new. One that has no name any more is heard
// until it ends: for a while it takes requests, and has those it took before.
func (f *follower) found(ctx context.Context, addresses map[string]bool) {
	for _, address := range f.loads.expect(addresses, steady(time.Now())) {
		f.listening.Go(func() { f.follow(ctx, address) })
	}
}

// resolve returns all addresses behind a host:port.
func resolve(ctx context.Context, hostport string) (map[string]bool, error) {
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		return nil, err
	}
	ips, err := net.DefaultResolver.LookupHost(ctx, host)
	found := map[string]bool{}
	for _, ip := range ips {
		found[net.JoinHostPort(ip, port)] = true
	}
	return found, err
}

// follow listens to one router, again and again, until it is not expected any
// more or ctx ends.
func (f *follower) follow(ctx context.Context, address string) {
	for {
		err := f.listen(ctx, address)
		if expected := f.loads.lose(address); !expected {
			return
		}
		if ctx.Err() == nil {
			f.log.Info("lost a router", "address", address, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(reconnectAfter):
		}
	}
}

// listen hears one router until it falls silent. It wakes every revision that
// has news. A bug that what it hears meets costs the connection only.
func (f *follower) listen(ctx context.Context, address string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("what it says meets a bug: %v", p)
		}
	}()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	silence := time.AfterFunc(silentFor, func() { cancel(fmt.Errorf("no word for %v", silentFor)) })
	defer silence.Stop()
	url := "http://" + address + "/load"
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := f.client.Do(req)
	if err != nil {
		return err
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, res.Status)
	}
	body := &io.LimitedReader{R: res.Body}
	lines := json.NewDecoder(body)
	for {
		body.N = maxLine
		var report routing.LoadReport
		if err := lines.Decode(&report); err != nil {
			return fmt.Errorf("read %s: %w", url, err)
		}
		silence.Reset(silentFor)
		for _, deployment := range f.loads.hear(address, steady(time.Now()), report) {
			f.wake(ctx, deployment)
		}
	}
}

// SPDX-License-Identifier: Apache-2.0

package autoscaler

import (
	"context"
	"encoding/json"
	"fmt"
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
)

// follower hears what the routers say of their load.
type follower struct {
	routers string // host:port
	loads   *loads
	wake    func(ctx context.Context, deployment types.NamespacedName)
	log     *slog.Logger
	client  http.Client
}

// run finds the routers anew every few seconds and listens to each, until ctx
// ends. While their name resolves to nothing, those known are kept.
func (f *follower) run(ctx context.Context) error {
	transport := &http.Transport{} // without a proxy: routers are near
	f.client.Transport = transport
	defer transport.CloseIdleConnections()
	var listening sync.WaitGroup
	defer listening.Wait()
	leave := map[string]context.CancelFunc{}
	tick := time.NewTicker(resolveEvery)
	defer tick.Stop()
	for {
		found, err := resolve(ctx, f.routers)
		if err != nil {
			f.log.Info("no routers found", "name", f.routers, "error", err)
		} else {
			f.loads.expect(found, time.Now())
			for address, stop := range leave {
				if !found[address] {
					stop()
					delete(leave, address)
				}
			}
			for address := range found {
				if leave[address] == nil {
					one, stop := context.WithCancel(ctx)
					leave[address] = stop
					listening.Go(func() { f.follow(one, address) })
				}
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
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

// follow listens to one router, again and again, until ctx ends.
func (f *follower) follow(ctx context.Context, address string) {
	for {
		err := f.listen(ctx, address)
		f.loads.lose(address)
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
// has news.
func (f *follower) listen(ctx context.Context, address string) error {
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
	lines := json.NewDecoder(res.Body)
	for {
		var report routing.LoadReport
		if err := lines.Decode(&report); err != nil {
			return fmt.Errorf("read %s: %w", url, err)
		}
		silence.Reset(silentFor)
		for _, deployment := range f.loads.hear(address, time.Now(), report) {
			f.wake(ctx, deployment)
		}
	}
}

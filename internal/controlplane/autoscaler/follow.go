// SPDX-License-Identifier: Apache-2.0

package autoscaler

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/serin-dev/serin/internal/report"
)

const (
	// resolveEvery is how soon a new router is found.
	resolveEvery = 5 * time.Second
	// reconnectAfter spaces out the attempts to reach a router.
	reconnectAfter = 250 * time.Millisecond
)

// follower reads what the routers report of their load.
type follower struct {
	routers string // host:port
	loads   *loads
	wake    func(ctx context.Context, deployment types.NamespacedName)
	log     *slog.Logger
	client  http.Client

	following sync.WaitGroup
}

// run resolves the routers' name every few seconds and follows each router, until
// ctx ends. While the name resolves to nothing, the known routers are kept.
func (f *follower) run(ctx context.Context) error {
	transport := &http.Transport{} // without a proxy: routers are near
	f.client.Transport = transport
	defer transport.CloseIdleConnections()
	defer f.following.Wait()
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

// found follows the routers that are new. One that has no name any more is
// followed until it ends: for a while it takes requests, and has those it took
// before.
func (f *follower) found(ctx context.Context, addresses map[string]bool) {
	for _, address := range f.loads.expect(addresses, steady(time.Now())) {
		f.following.Go(func() { f.follow(ctx, address) })
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

// follow reads one router's report, again and again, until the router is not
// expected any more or ctx ends.
func (f *follower) follow(ctx context.Context, address string) {
	for {
		err := f.read(ctx, address)
		if expected := f.loads.disconnected(address); !expected {
			return
		}
		if ctx.Err() == nil {
			f.log.Info("a router is disconnected", "address", address, "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(reconnectAfter):
		}
	}
}

// read reads one router's report until the connection breaks. It wakes every
// revision that the router names. A bug that a report meets costs the connection
// only.
func (f *follower) read(ctx context.Context, address string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("its report meets a bug: %v", p)
		}
	}()
	return report.Follow(ctx, &f.client, address, func(l report.Line) {
		for _, deployment := range f.loads.record(address, steady(time.Now()), l) {
			f.wake(ctx, deployment)
		}
	})
}

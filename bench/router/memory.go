// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"

	"github.com/serin-dev/serin/bench/internal/report"
)

// idleMemory returns by how many KiB the proxy grows for each client connection
// that had one request and then is silent.
func idleMemory(ctx context.Context, p *proxy) (float64, error) {
	if len(p.pids) == 0 {
		return 0, nil
	}
	return p.growth(idleConnections, func() (io.Closer, error) { return open(ctx, p.addr, hostOf(0)) })
}

// growth returns by how many KiB the proxy grows for each of n connections.
func (p *proxy) growth(n int, open func() (io.Closer, error)) (float64, error) {
	before, err := p.resident()
	if err != nil {
		return 0, err
	}
	for range n {
		c, err := open()
		if err != nil {
			return 0, err
		}
		defer func() { _ = c.Close() }() // all at once, when counted
	}
	after, err := p.resident()
	return float64(after-before) / float64(n) / 1024, err
}

// resident returns how much memory the proxy's processes hold.
func (p *proxy) resident() (int, error) {
	total := 0
	for _, pid := range p.pids {
		stat, err := stat(pid)
		if err != nil {
			return 0, err
		}
		total += stat.ResidentMemory()
	}
	return total, nil
}

// measureIdle measures what idle connections hold in a router that was just
// started, by what they did before.
func measureIdle(ctx context.Context, opts options, r *report.Report) error {
	for _, kind := range []struct {
		name string
		open func(addr string) (io.Closer, error)
	}{
		{"said nothing", func(addr string) (io.Closer, error) { return (&net.Dialer{}).DialContext(ctx, "tcp", addr) }},
		{"had a request", func(addr string) (io.Closer, error) { return open(ctx, addr, hostOf(0)) }},
		{"had one over HTTP/2", func(addr string) (io.Closer, error) { return openHTTP2(ctx, addr) }},
	} {
		for range opts.rounds {
			grown, err := idleRound(ctx, opts.idle, kind.open)
			if err != nil {
				return fmt.Errorf("%s: %w", kind.name, err)
			}
			r.Add("idle-connection", kind.name, grown)
		}
	}
	return nil
}

func idleRound(ctx context.Context, n int, open func(addr string) (io.Closer, error)) (float64, error) {
	dir, err := os.MkdirTemp("", "serin-bench-router-")
	if err != nil {
		return 0, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // what is left is small, and in /tmp
	p := &processes{ctx: ctx, dir: dir}
	defer p.stop()
	addrs, err := freeAddrs(ctx, 2)
	if err != nil {
		return 0, err
	}
	if _, err := p.nginx("backend", loadCPU, backendConfig(addrs[0]), addrs[0]); err != nil {
		return 0, err
	}
	pid, err := p.self(routerRole, addrs[1], addrs[0], 1)
	if err != nil {
		return 0, err
	}
	first, err := open(addrs[1]) // what the first needs is not each one's
	if err != nil {
		return 0, err
	}
	defer func() { _ = first.Close() }() // with the others
	router := &proxy{addr: addrs[1], pids: []int{pid}}
	return router.growth(n, func() (io.Closer, error) { return open(router.addr) })
}

// closer closes what a client over HTTP/2 has open.
type closer struct{ *http.Transport }

func (c closer) Close() error {
	c.CloseIdleConnections()
	return nil
}

// openHTTP2 connects and asks once.
func openHTTP2(ctx context.Context, addr string) (io.Closer, error) {
	t := &http.Transport{Protocols: new(http.Protocols)}
	t.Protocols.SetUnencryptedHTTP2(true)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/", nil)
	if err != nil {
		return nil, err
	}
	req.Host = "nobody.example.com" // the backend speaks HTTP/1.1 only: the router's own answer will do
	res, err := t.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, res.Body)
	_ = res.Body.Close() // read to its end
	return closer{t}, err
}

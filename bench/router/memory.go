// SPDX-License-Identifier: Apache-2.0

package main

import "context"

// idleMemory returns by how many KiB the proxy grows for each client connection
// that had one request and then is silent.
func idleMemory(ctx context.Context, p *proxy) (float64, error) {
	if len(p.pids) == 0 {
		return 0, nil
	}
	before, err := p.resident()
	if err != nil {
		return 0, err
	}
	for range idleConnections {
		c, err := open(ctx, p.addr, hostOf(0))
		if err != nil {
			return 0, err
		}
		defer func() { _ = c.Close() }() // all at once, when counted
	}
	after, err := p.resident()
	return float64(after-before) / idleConnections / 1024, err
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

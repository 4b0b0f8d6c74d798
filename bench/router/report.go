// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/serin-dev/serin/bench/internal/report"
)

// turn is what one turn of a proxy showed.
type turn struct {
	cpu     float64 // microseconds per request
	latency latency
}

// latency is that of requests at a fixed rate.
type latency struct{ P50, P99 time.Duration }

// add adds the turns of all proxies to the report, and their ratios and
// differences in the same round.
func add(r *report.Report, opts options, services int, proxies []*proxy) {
	n := plural(services)
	direct, nginx := proxies[0], named(proxies, nginxName)
	for _, p := range proxies[1:] {
		r.Add("proxy-idle", p.name+", "+n, p.idle)
		for i, t := range p.turns {
			r.Add("proxy-cpu", p.name+", "+n, t.cpu)
			switch p.name {
			case routerRole:
				r.Add("router-cpu", n, t.cpu/nginx.turns[i].cpu)
			case routerQueue:
				r.Add("router-queue-cpu", n, t.cpu/nginx.turns[i].cpu)
			}
			if opts.rate > 0 {
				r.Add("proxy-latency-p50", p.name+", "+n, us(t.latency.P50-direct.turns[i].latency.P50))
				r.Add("proxy-latency-p99", p.name+", "+n, us(t.latency.P99-direct.turns[i].latency.P99))
			}
		}
	}
}

func plural(services int) string {
	if services == 1 {
		return "1 service"
	}
	return fmt.Sprintf("%d services", services)
}

func named(proxies []*proxy, name string) *proxy {
	return proxies[slices.IndexFunc(proxies, func(p *proxy) bool { return p.name == name })]
}

func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

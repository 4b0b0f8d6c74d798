// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// turn is what one turn of a proxy showed.
type turn struct {
	cpu     float64 // microseconds per request
	rate    float64 // requests per second, as many as possible
	latency latency
}

// latency is that of requests at a fixed rate.
type latency struct{ P50, P99 time.Duration }

// report prints a line per proxy.
func report(to io.Writer, opts options, services int, proxies []*proxy) error {
	fmt.Fprintf(to, "\n%d service(s), a tenth of each to a canary; medians of %d rounds of %d s; latency at %d requests/s; load average %s\n",
		services, opts.rounds, opts.seconds, opts.rate, loadAverage())
	out := tabwriter.NewWriter(to, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "proxy\tCPU/request\tof nginx\tof haproxy\trequests/s\tadded p50\tadded p99\tidle connection\t")
	direct, nginx, haproxy := proxies[0], named(proxies, nginxName), named(proxies, haproxyName)
	for _, p := range proxies[1:] {
		fmt.Fprintf(out, "%s\t%.1f us\t%.2f\t%.2f\t%.0f\t%s\t%s\t%.1f KiB\t\n", p.name,
			median(p.turns, func(t turn) float64 { return t.cpu }), ratio(p, nginx), ratio(p, haproxy),
			median(p.turns, func(t turn) float64 { return t.rate }),
			added(p, direct, func(l latency) time.Duration { return l.P50 }),
			added(p, direct, func(l latency) time.Duration { return l.P99 }), p.idle)
	}
	return out.Flush()
}

// overBudget says which proxies cost too much.
func overBudget(opts options, services int, proxies []*proxy) []string {
	var exceeded []string
	for _, p := range proxies[1:] {
		budget := opts.budgets[p.name]
		if is := ratio(p, named(proxies, nginxName)); budget > 0 && is > budget {
			exceeded = append(exceeded, fmt.Sprintf("%s at %d services costs %.2f times what nginx costs, not %.2f", p.name, services, is, budget))
		}
	}
	return exceeded
}

func named(proxies []*proxy, name string) *proxy {
	return proxies[slices.IndexFunc(proxies, func(p *proxy) bool { return p.name == name })]
}

// ratio is how much more CPU time a proxy uses than another in the same round.
func ratio(p, of *proxy) float64 {
	var ratios []float64
	for i, t := range p.turns {
		ratios = append(ratios, t.cpu/of.turns[i].cpu)
	}
	return median(ratios, func(r float64) float64 { return r })
}

// added is the latency that a proxy adds to what there is without.
func added(p, direct *proxy, of func(latency) time.Duration) time.Duration {
	var differences []time.Duration
	for i, t := range p.turns {
		differences = append(differences, of(t.latency)-of(direct.turns[i].latency))
	}
	return time.Duration(median(differences, func(d time.Duration) float64 { return float64(d) })).Round(time.Microsecond)
}

func median[T any](all []T, of func(T) float64) float64 {
	values := make([]float64, 0, len(all))
	for _, v := range all {
		values = append(values, of(v))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func loadAverage() string {
	b, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	first, _, _ := strings.Cut(string(b), " ")
	return first
}

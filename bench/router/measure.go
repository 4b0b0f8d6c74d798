// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
)

// wrkScript posts 130 bytes, as the walk-through's iris request does.
const wrkScript = `wrk.method = "POST"
wrk.body = '{"instances": [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]}' .. string.rep(" ", 70)
wrk.headers["Host"] = "iris-0.bench.example.com"
wrk.headers["Content-Type"] = "application/json"
`

// measurement is one turn of a proxy.
type measurement struct {
	cpu      float64 // microseconds per request
	rate     float64 // requests per second
	p50, p99 string
}

var (
	requestsLine = regexp.MustCompile(`(\d+) requests in`)
	rateLine     = regexp.MustCompile(`Requests/sec:\s+([\d.]+)`)
	p50Line      = regexp.MustCompile(`(?m)^\s+50%\s+(\S+)`)
	p99Line      = regexp.MustCompile(`(?m)^\s+99%\s+(\S+)`)
)

// measure loads a proxy and returns what that cost it.
func measure(ctx context.Context, p *proxy, script string, seconds int) (measurement, error) {
	before, err := p.cpu()
	if err != nil {
		return measurement{}, err
	}
	wrk := pinned(ctx, loadCPU, "wrk", "-t1", "-c32", fmt.Sprintf("-d%ds", seconds), "--latency", "-s", script, "http://"+p.addr+"/v1/models/iris:predict")
	out, err := wrk.CombinedOutput()
	if err != nil {
		return measurement{}, fmt.Errorf("wrk: %w: %s", err, out)
	}
	after, err := p.cpu()
	if err != nil {
		return measurement{}, err
	}
	if bytes.Contains(out, []byte("Non-2xx")) || bytes.Contains(out, []byte("Socket errors")) {
		return measurement{}, fmt.Errorf("requests failed: %s", out)
	}
	requests, err := number(requestsLine, out)
	if err != nil {
		return measurement{}, err
	}
	rate, err := number(rateLine, out)
	if err != nil {
		return measurement{}, err
	}
	return measurement{
		cpu:  (after - before) * 1e6 / requests,
		rate: rate,
		p50:  text(p50Line, out),
		p99:  text(p99Line, out),
	}, nil
}

func text(line *regexp.Regexp, out []byte) string {
	if m := line.FindSubmatch(out); m != nil {
		return string(m[1])
	}
	return "?"
}

func number(line *regexp.Regexp, out []byte) (float64, error) {
	return strconv.ParseFloat(text(line, out), 64)
}

// cpu returns the CPU seconds that the proxy's processes used so far.
func (p *proxy) cpu() (float64, error) {
	total := 0.0
	for _, pid := range p.pids {
		seconds, err := cpuSeconds(pid)
		if err != nil {
			return 0, err
		}
		total += seconds
	}
	return total, nil
}

// cpuSeconds adds up user and system time of a process.
func cpuSeconds(pid int) (float64, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	// After the command's name in parentheses come state, ppid ...; user and
	// system time are fields 14 and 15 counted from the very first.
	_, rest, ok := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if !ok || len(fields) < 13 {
		return 0, errors.New("/proc/PID/stat looks unlike itself")
	}
	const ticksPerSecond = 100 // USER_HZ, the same on every Linux
	ticks := 0.0
	for _, f := range fields[11:13] {
		n, err := strconv.ParseFloat(f, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return ticks / ticksPerSecond, nil
}

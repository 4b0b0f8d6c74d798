// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"
)

const (
	path = "/v1/models/iris:predict"
	body = `{"instances": [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]}` // as in the walk-through
)

// padded is the body in 130 bytes.
var padded = body + strings.Repeat(" ", 130-len(body))

// wrkScript asks the services one after the other.
func wrkScript(services int) string {
	return fmt.Sprintf(`local services, turn, requests = %d, 0, {}
init = function()
	for i = 0, services - 1 do
		local headers = {["Host"] = "iris-" .. i .. ".bench.example.com", ["Content-Type"] = "application/json"}
		requests[i] = wrk.format("POST", "%s", headers, '%s')
	end -- for
end
request = function()
	turn = (turn + 1) %% services
	return requests[turn]
end
`, services, path, padded)
}

var requestsLine = regexp.MustCompile(`(\d+) requests in`)

// measureCPU loads a proxy with as much as it can take.
func (t *turn) measureCPU(p *processes, target *proxy, seconds, services int) error {
	script := filepath.Join(p.dir, "post.lua")
	if err := os.WriteFile(script, []byte(wrkScript(services)), 0o600); err != nil {
		return err
	}
	before, err := target.cpuSeconds()
	if err != nil {
		return err
	}
	wrk := pinned(p.ctx, loadCPU, "wrk", "-t1", "-c32", fmt.Sprintf("-d%ds", seconds), "-s", script, "http://"+target.addr)
	out, err := wrk.CombinedOutput()
	if err != nil {
		return fmt.Errorf("wrk: %w: %s", err, out)
	}
	after, err := target.cpuSeconds()
	if err != nil {
		return err
	}
	if bytes.Contains(out, []byte("Non-2xx")) || bytes.Contains(out, []byte("Socket errors")) {
		return fmt.Errorf("requests failed: %s", out)
	}
	m := requestsLine.FindSubmatch(out)
	if m == nil {
		return fmt.Errorf("wrk does not say how many requests it sent: %s", out)
	}
	requests, err := strconv.ParseFloat(string(m[1]), 64)
	t.cpu = (after - before) * 1e6 / requests
	return err
}

// cpuSeconds returns the CPU time that the proxy's processes used so far.
func (p *proxy) cpuSeconds() (float64, error) {
	total := 0.0
	for _, pid := range p.pids {
		stat, err := stat(pid)
		if err != nil {
			return 0, err
		}
		total += stat.CPUTime()
	}
	return total, nil
}

func stat(pid int) (procfs.ProcStat, error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return procfs.ProcStat{}, err
	}
	return p.Stat()
}

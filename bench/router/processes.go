// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// proxy is what is measured: the processes whose CPU time counts, and the
// address that the load goes to.
type proxy struct {
	name  string
	addr  string
	pids  []int // none: there is no proxy
	turns []turn
	idle  float64 // KiB per idle client connection
}

const (
	nginxName   = "nginx"
	haproxyName = "haproxy"
	routerQueue = "router+queue"
)

// processes are stopped together.
type processes struct {
	ctx  context.Context
	dir  string
	cmds []*exec.Cmd
}

// The measured proxies run on one CPU, load and backend on another, so that
// neither takes time from a proxy.
const (
	proxyCPU = "0"
	loadCPU  = "1"
)

// pinned is a command that runs on one CPU only.
func pinned(ctx context.Context, cpu, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "taskset", append([]string{"-c", cpu, name}, args...)...)
}

// start starts a backend and the proxies in front of it. The first result is the
// backend itself, without a proxy.
func (p *processes) start(services int) ([]*proxy, error) {
	addrs, err := freeAddrs(p.ctx, 8)
	if err != nil {
		return nil, err
	}
	latest, prev := addrs[0], addrs[1]
	if _, err := p.nginx("backend", loadCPU, backendConfig(latest, prev), latest); err != nil {
		return nil, err
	}
	proxies := []*proxy{{name: "direct", addr: latest}}
	add := func(name, addr string, pids []int, err error) error {
		proxies = append(proxies, &proxy{name: name, addr: addr, pids: pids})
		return err
	}
	pids, err := p.nginx("split", proxyCPU, splitConfig(addrs[2], latest, prev, services), addrs[2])
	if err := add(nginxName, addrs[2], pids, err); err != nil {
		return nil, err
	}
	pids, err = p.haproxy(addrs[3], latest, prev, services)
	if err := add(haproxyName, addrs[3], pids, err); err != nil {
		return nil, err
	}
	pid, err := p.self(netHTTPRole, addrs[4], latest, services)
	if err := add(netHTTPRole, addrs[4], []int{pid}, err); err != nil {
		return nil, err
	}
	pid, err = p.self(routerRole, addrs[5], latest+","+prev, services)
	if err := add(routerRole, addrs[5], []int{pid}, err); err != nil {
		return nil, err
	}
	queue, err := p.self(queueRole, addrs[6], latest, services)
	if err != nil {
		return nil, err
	}
	pid, err = p.self(routerRole, addrs[7], addrs[6], services)
	return proxies, add(routerQueue, addrs[7], []int{pid, queue}, err)
}

func freeAddrs(ctx context.Context, n int) ([]string, error) {
	var addrs []string
	for range n {
		ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = ln.Close() }() // all at once, so that they differ
		addrs = append(addrs, ln.Addr().String())
	}
	return addrs, nil
}

// nginx starts one with a single worker and returns the pids of both of its
// processes.
func (p *processes) nginx(name, cpu, servers, addr string) ([]int, error) {
	dir := filepath.Join(p.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(config, []byte(nginxConfig(dir, servers)), 0o600); err != nil {
		return nil, err
	}
	cmd := pinned(p.ctx, cpu, "nginx", "-c", config, "-e", filepath.Join(dir, "error.log"))
	if err := p.run(cmd, addr); err != nil {
		return nil, fmt.Errorf("start nginx: %w", err)
	}
	pids := []int{cmd.Process.Pid}
	for deadline := time.Now().Add(startTimeout); len(pids) < 2; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			return nil, fmt.Errorf("start nginx: no worker: %w", errTimeout)
		}
		children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", cmd.Process.Pid))
		if err != nil {
			return nil, err
		}
		for f := range strings.FieldsSeq(string(children)) {
			pid, err := strconv.Atoi(f)
			if err != nil {
				return nil, err
			}
			pids = append(pids, pid)
		}
	}
	return pids, nil
}

// haproxy starts one with a single thread.
func (p *processes) haproxy(addr, latest, prev string, services int) ([]int, error) {
	hosts := filepath.Join(p.dir, "hosts.map")
	if err := os.WriteFile(hosts, []byte(haproxyHosts(services)), 0o600); err != nil {
		return nil, err
	}
	config := filepath.Join(p.dir, "haproxy.cfg")
	if err := os.WriteFile(config, []byte(haproxyConfig(addr, hosts, latest, prev, services)), 0o600); err != nil {
		return nil, err
	}
	cmd := pinned(p.ctx, proxyCPU, "haproxy", "-q", "-db", "-f", config)
	if err := p.run(cmd, addr); err != nil {
		return nil, fmt.Errorf("start haproxy: %w", err)
	}
	return []int{cmd.Process.Pid}, nil
}

// self starts a copy of this program in one of its roles.
func (p *processes) self(role, addr, next string, services int) (int, error) {
	exe, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := pinned(p.ctx, proxyCPU, exe)
	cmd.Env = append(os.Environ(), roleVariable+"="+role, addrVariable+"="+addr, nextVariable+"="+next, fmt.Sprintf("%s=%d", servicesVariable, services))
	if err := p.run(cmd, addr); err != nil {
		return 0, fmt.Errorf("start %s: %w", role, err)
	}
	return cmd.Process.Pid, nil
}

var errTimeout = errors.New("it did not start within 10 s")

// run starts a process and waits until it listens.
func (p *processes) run(cmd *exec.Cmd, addr string) error {
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return err
	}
	p.cmds = append(p.cmds, cmd)
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if conn, err := (&net.Dialer{}).DialContext(p.ctx, "tcp", addr); err == nil {
			return conn.Close()
		}
	}
	return errTimeout
}

// stop ends all processes.
func (p *processes) stop() {
	for _, cmd := range p.cmds {
		_ = cmd.Process.Signal(os.Interrupt) // it may have ended by itself
	}
	for _, cmd := range p.cmds {
		_ = cmd.Wait() // its exit code says nothing after a signal
	}
}

// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"

	"github.com/serin-dev/serin/internal/queue"
	"github.com/serin-dev/serin/internal/router"
	"github.com/serin-dev/serin/internal/routing"
)

// proxy is something to measure: the processes whose CPU time counts, and
// where the load goes.
type proxy struct {
	name string
	addr string
	pids []int
	runs []measurement
}

const (
	roleVariable    = "SERIN_BENCH_ROLE" // what a copy of this program is to be
	addrVariable    = "SERIN_BENCH_ADDR"
	nextVariable    = "SERIN_BENCH_NEXT" // where it sends requests, comma-separated
	countVariable   = "SERIN_BENCH_SERVICES"
	profileVariable = "SERIN_BENCH_PROFILE" // folder for CPU profiles, if set

	nginxRole       = "nginx"
	routerRole      = "router"
	queueRole       = "queue"
	routerQueueRole = "router+queue"
)

// processes are stopped together.
type processes struct {
	ctx  context.Context
	dir  string
	cmds []*exec.Cmd
}

// pinned is a command that runs on one CPU only: the measured proxies on the
// first, load and backend on the second, so that nobody else's work or waking
// up is in the way of the proxy and none of it counts.
func pinned(ctx context.Context, cpu, name string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, "taskset", append([]string{"-c", cpu, name}, args...)...)
}

const (
	proxyCPU = "0"
	loadCPU  = "1"
)

// start starts a backend and the proxies in front of it, nginx first.
func start(ctx context.Context, dir string, services int) ([]*proxy, func(), error) {
	p := &processes{ctx: ctx, dir: dir}
	addrs, err := freeAddrs(ctx, 6)
	if err != nil {
		return nil, p.stop, err
	}
	backend, splitter, direct, viaQueue, queued, backend2 := addrs[0], addrs[1], addrs[2], addrs[3], addrs[4], addrs[5]
	if _, err := p.nginx("backend", loadCPU, backendConfig(backend, backend2), backend); err != nil {
		return nil, p.stop, err
	}
	nginx, err := p.nginx("split", proxyCPU, splitConfig(splitter, backend, backend2), splitter)
	if err != nil {
		return nil, p.stop, err
	}
	router, err := p.self(routerRole, direct, backend+","+backend2, services)
	if err != nil {
		return nil, p.stop, err
	}
	queue, err := p.self(queueRole, queued, backend, services)
	if err != nil {
		return nil, p.stop, err
	}
	router2, err := p.self(routerRole, viaQueue, queued, services)
	if err != nil {
		return nil, p.stop, err
	}
	return []*proxy{
		{name: nginxRole, addr: splitter, pids: nginx},
		{name: routerRole, addr: direct, pids: []int{router}},
		{name: routerQueueRole, addr: viaQueue, pids: []int{router2, queue}},
	}, p.stop, nil
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

// backendConfig answers with a constant of 130 bytes.
func backendConfig(addrs ...string) string {
	var b strings.Builder
	for _, a := range addrs {
		fmt.Fprintf(&b, "server { listen %s; location / { default_type application/json; return 200 '{\"predictions\":[1,1]}%s'; } }\n", a, strings.Repeat(" ", 109))
	}
	return b.String()
}

// splitConfig splits as the router does, 10 to 90, over keep-alive connections.
func splitConfig(addr, backend, backend2 string) string {
	return fmt.Sprintf(`
split_clients "$connection$connection_requests" $revision { 10%% latest; * prev; }
upstream latest { server %s; keepalive 64; }
upstream prev { server %s; keepalive 64; }
server {
	listen %s;
	location / {
		proxy_pass http://$revision;
		proxy_http_version 1.1;
		proxy_set_header Connection "";
		proxy_set_header Host $http_host;
		proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
		proxy_set_header X-Forwarded-Proto $scheme;
		proxy_set_header X-Forwarded-Host $http_host;
		add_header Serin-Revision $revision;
	}
}
`, backend, backend2, addr)
}

// nginx starts one with a single worker and returns the pids of both of its
// processes.
func (p *processes) nginx(name, cpu, servers, addr string) ([]int, error) {
	dir := filepath.Join(p.dir, name)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "nginx.conf")
	content := fmt.Sprintf(`
daemon off;
worker_processes 1;
pid %[1]s/pid;
error_log %[1]s/error.log;
events { worker_connections 1024; }
http {
	access_log off;
	keepalive_requests 1000000000;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	%[2]s
}
`, dir, servers)
	if err := os.WriteFile(config, []byte(content), 0o600); err != nil {
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

// self starts a copy of this program that is a router or a queue.
func (p *processes) self(role, addr, next string, services int) (int, error) {
	exe, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := pinned(p.ctx, proxyCPU, exe)
	cmd.Env = append(os.Environ(), roleVariable+"="+role, addrVariable+"="+addr, nextVariable+"="+next, fmt.Sprintf("%s=%d", countVariable, services))
	if err := p.run(cmd, addr); err != nil {
		return 0, fmt.Errorf("start %s: %w", role, err)
	}
	return cmd.Process.Pid, nil
}

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

// serve is the copy of this program that is measured.
func serve(ctx context.Context, role string) error {
	if dir := os.Getenv(profileVariable); dir != "" {
		f, err := os.Create(filepath.Join(dir, role+"-"+strconv.Itoa(os.Getpid())+".pprof"))
		if err != nil {
			return err
		}
		defer func() { _ = f.Close() }() // a profile that is cut off shows when read
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", os.Getenv(addrVariable))
	if err != nil {
		return err
	}
	next := strings.Split(os.Getenv(nextVariable), ",")
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	if role == queueRole {
		admin, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		return queue.Run(ctx, queue.Config{Listener: ln, Admin: admin, Target: next[0], Concurrency: 64, Log: log})
	}
	var services int
	if _, err := fmt.Sscan(os.Getenv(countVariable), &services); err != nil {
		return err
	}
	return router.Run(ctx, router.Config{Listener: ln, Domain: "example.com", Log: log, Static: table(services, next)})
}

// table is a table of services with a canary at 10% each.
func table(services int, next []string) *routing.Input {
	in := &routing.Input{}
	for i := range services {
		name := fmt.Sprintf("iris-%d", i)
		latest, prev := name+"-predictor-00002", name+"-predictor-00001"
		in.Services = append(in.Services, routing.Service{Namespace: "bench", Name: name, Traffic: []routing.Share{
			{Revision: latest, Percent: 10, Tag: "latest"}, {Revision: prev, Percent: 90, Tag: "prev"},
		}})
		in.Pods = append(in.Pods,
			routing.Pod{Namespace: "bench", Revision: latest, Addr: next[0]},
			routing.Pod{Namespace: "bench", Revision: prev, Addr: next[len(next)-1]})
	}
	return in
}

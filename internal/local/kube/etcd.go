// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"
)

const (
	// maxSocketPath bounds the path of a unix socket, in bytes, on every system we know.
	maxSocketPath = 100
	// etcdStop bounds the end of etcd, which makes a copy of its data then.
	etcdStop = 10 * time.Second
	// calm is how long etcd has to run to count as recovered.
	calm = 5 * time.Second
	// lockedTries bounds how often a start waits for the etcd of a killed process to end.
	lockedTries = 50
)

// startEtcd starts a single-member etcd, restarts it whenever it ends, and
// returns its endpoint. etcd authenticates no client, and loopback is open to
// every user of the machine: so it listens on a unix socket in a private
// directory.
func (s *Server) startEtcd(ctx context.Context, c Config) (endpoint string, err error) {
	sockets, remove, err := socketDir(c.Dir)
	if err != nil {
		return "", err
	}
	p := &etcdProgram{Config: c, socket: filepath.Join(sockets, "etcd.sock")}
	ready := make(chan struct{})
	s.Start("etcd", func(ctx context.Context) error {
		defer remove()
		return p.keep(ctx, sync.OnceFunc(func() { close(ready) }))
	})
	select {
	case <-ready:
		return "unix://" + p.socket, nil
	case err := <-s.Failed():
		return "", err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// socketDir returns a private directory whose path is short enough for sockets,
// and a function that removes it.
func socketDir(dir string) (string, func(), error) {
	if dir, err := filepath.Abs(dir); err == nil && len(dir) < maxSocketPath-len("/etcd.sock") {
		return dir, func() {}, nil
	}
	tmp, err := os.MkdirTemp("", "serin-") // mode 0700
	if err != nil {
		return "", nil, fmt.Errorf("make socket directory: %w", err)
	}
	return tmp, func() { _ = os.RemoveAll(tmp) }, nil
}

// etcdProgram is etcd as a child of this process.
type etcdProgram struct {
	Config
	socket string

	mu   sync.Mutex
	told string // the trouble last reported; empty once etcd has recovered
}

// keep runs etcd until ctx ends. It returns an error if the first start fails;
// later it restarts etcd for ever, so that the API comes back by itself.
func (p *etcdProgram) keep(ctx context.Context, ready func()) error {
	runtime.LockOSThread() // the child gets its parent-death signal when the thread that forked it ends
	up := false
	for tries := 0; ; tries++ {
		began := time.Now()
		end := p.run(ctx, func() { up = true; ready() })
		if ctx.Err() != nil {
			return nil
		}
		if time.Since(began) > calm {
			tries = 0
		}
		wait := time.Second << min(tries, 3)
		switch {
		case up:
			p.report(p.interrupted(end))
		case end.locked && tries < lockedTries:
			wait = 50 * time.Millisecond
		default:
			return p.cannotStart(end)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// run runs etcd once, and returns why it ended.
func (p *etcdProgram) run(ctx context.Context, ready func()) *exitReason {
	args := []string{"--dir", p.Dir, "--socket", p.socket}
	if p.NoSync {
		args = append(args, "--no-sync")
	}
	if p.Restore {
		args = append(args, "--restore")
	}
	end := &exitReason{log: p.Log}
	ended := make(chan struct{})
	var watch sync.WaitGroup
	cmd := exec.CommandContext(ctx, p.Etcd, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = etcdStop
	cmd.Stderr = end
	cmd.Stdout = onWrite(func() { // it writes once, when it is ready
		p.Restore = false // restarts keep the data
		ready()
		watch.Go(func() { p.awaitRecovery(ended) })
	})
	dieWithParent(cmd)
	if err := cmd.Run(); err != nil {
		end.keep(exitStatus, err.Error())
	}
	close(ended)
	watch.Wait()
	return end
}

// report logs a trouble once.
func (p *etcdProgram) report(trouble string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.told != trouble {
		p.told = trouble
		p.Say.Error(trouble)
	}
}

// awaitRecovery waits until a running etcd has recovered, or has ended.
func (p *etcdProgram) awaitRecovery(ended <-chan struct{}) {
	look := time.NewTicker(calm)
	defer look.Stop()
	for {
		select {
		case <-ended:
			return
		case <-look.C:
			if p.recovered() {
				return
			}
		}
	}
}

// recovered reports whether etcd works again, and logs that once. On a full disk
// it has not recovered: etcd starts as long as there is room in its files, and
// ends when a change needs more.
func (p *etcdProgram) recovered() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.told == "" {
		return true
	}
	if freeSpace(p.Dir) < leastSpace {
		return false
	}
	p.told = ""
	p.Say.Warn("etcd runs again: the Kubernetes API takes changes")
	return true
}

// leastSpace is the free space, in bytes, below which a disk counts as full.
const leastSpace = 1 << 20

// onWrite calls a function at each write.
type onWrite func()

func (f onWrite) Write(b []byte) (int, error) { f(); return len(b), nil }

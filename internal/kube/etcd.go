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
	// maxSocketPath is what a unix socket's address holds on every system we know.
	maxSocketPath = 100
	// etcdStop is how long etcd has to end. It makes a copy of its data then.
	etcdStop = 10 * time.Second
	// calm is for how long etcd has to run to count as well again.
	calm = 5 * time.Second
	// lockedTries is how often a start waits for the etcd of a killed process to be gone.
	lockedTries = 50
)

// startEtcd starts a single-member etcd, which is started again whenever it
// ends, and returns its endpoint. It listens on a unix socket in a private
// directory, because etcd itself asks nobody for credentials and loopback is
// open to every user of the machine.
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

// socketDir is a private directory whose path is short enough for sockets, and
// what removes it again.
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
	told string // what is wrong with it, until it is well again
}

// keep runs etcd until ctx ends: the first time as a part that may fail, then
// again and again, so that the API comes back by itself.
func (p *etcdProgram) keep(ctx context.Context, ready func()) error {
	runtime.LockOSThread() // the parent-death signal comes when the thread ends that forked
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
			p.tell(p.interrupted(end))
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

// run runs etcd once, and returns its last words.
func (p *etcdProgram) run(ctx context.Context, ready func()) *lastWords {
	args := []string{"--dir", p.Dir, "--socket", p.socket}
	if p.NoSync {
		args = append(args, "--no-sync")
	}
	if p.Restore {
		args = append(args, "--restore")
	}
	words := &lastWords{log: p.Log}
	ended := make(chan struct{})
	var watch sync.WaitGroup
	cmd := exec.CommandContext(ctx, p.Etcd, args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = etcdStop
	cmd.Stderr = words
	cmd.Stdout = onWrite(func() { // its only word is that it is ready
		p.Restore = false // that was for the first start
		ready()
		watch.Go(func() { p.awaitWell(ended) })
	})
	dieWithParent(cmd)
	if err := cmd.Run(); err != nil {
		words.note(exits, err.Error())
	}
	close(ended)
	watch.Wait()
	return words
}

// tell says what is wrong, once.
func (p *etcdProgram) tell(trouble string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.told != trouble {
		p.told = trouble
		p.Say.Error(trouble)
	}
}

// awaitWell looks at an etcd that runs until it is well, or has ended.
func (p *etcdProgram) awaitWell(ended <-chan struct{}) {
	look := time.NewTicker(calm)
	defer look.Stop()
	for {
		select {
		case <-ended:
			return
		case <-look.C:
			if p.well() {
				return
			}
		}
	}
}

// well says that what was wrong is over, unless the disk is full: with room in
// its files etcd starts there, until its next change needs more.
func (p *etcdProgram) well() bool {
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

// leastSpace is what a disk has left that is not full.
const leastSpace = 1 << 20

// onWrite calls a function at each write.
type onWrite func()

func (f onWrite) Write(b []byte) (int, error) { f(); return len(b), nil }

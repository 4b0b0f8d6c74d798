// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// outputGrace is how long output is read after a process and its descendants were killed.
const outputGrace = 2 * time.Second

// errStopped is returned by a forker that has ended.
var errStopped = errors.New("the node is going down")

// forker starts all processes of a Pod from one thread that lives as long as its worker does: the kernel
// sends the parent-death signal when the thread that started a process ends, and processes inherit the
// room of that thread.
type forker struct {
	requests chan forkRequest
	ended    chan struct{}
	traced   bool                  // programs start traced
	enter    func() (leave func()) // prepares the thread
}

type forkRequest struct {
	cmd    command
	result chan error
}

func newForker(traced bool, enter func() (leave func())) *forker {
	return &forker{requests: make(chan forkRequest), ended: make(chan struct{}), traced: traced, enter: enter}
}

// run starts processes until ctx ends. The thread is never unlocked, so it ends with run.
func (f *forker) run(ctx context.Context) {
	defer close(f.ended)
	runtime.LockOSThread()
	defer f.enter()()
	for {
		select {
		case r := <-f.requests:
			err := startLimited(r.cmd, f.traced)
			if errors.Is(err, syscall.EPERM) {
				f.traced, _ = tryOut() // a debugger may have attached to the node since the last try
			}
			r.result <- err
		case <-ctx.Done():
			return
		}
	}
}

// start starts cmd as the leader of a process group of its own.
func (f *forker) start(cmd command) error {
	dieWithParent(cmd.Cmd)
	r := forkRequest{cmd: cmd, result: make(chan error, 1)}
	select {
	case f.requests <- r:
		return <-r.result
	case <-f.ended:
		return errStopped
	}
}

// process is one running program with all processes it started.
type process struct {
	cmd       command
	startedAt time.Time
	stdin     *os.File      // for kubectl attach; nil unless asked for
	done      chan struct{} // closed when it ended and its output is stored
	exitCode  int32
	signal    int32
}

// spawn starts the program of a container and writes its output to log. marker lists the variables
// of its environment by which the processes that it leaves behind are found.
func spawn(argv []string, s setting, marker []string, stdin bool, log *logFile) (*process, error) {
	p := &process{
		cmd:  command{&exec.Cmd{Path: argv[0], Args: argv, Env: s.env, Dir: s.dir}, s.limits},
		done: make(chan struct{}),
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer func() { _ = outW.Close() }()
	errR, errW, err := os.Pipe()
	if err != nil {
		_ = outR.Close()
		return nil, err
	}
	defer func() { _ = errW.Close() }()
	p.cmd.Stdout, p.cmd.Stderr = outW, errW
	p.startedAt = time.Now()
	if err := p.startWith(s.fork, stdin); err != nil {
		_ = outR.Close()
		_ = errR.Close()
		return nil, err
	}
	go p.wait(marker, log, outR, errR)
	return p, nil
}

// startWith starts the process, with a pipe to speak to it if stdin is wanted.
func (p *process) startWith(f *forker, stdin bool) error {
	if !stdin {
		return f.start(p.cmd)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	p.cmd.Stdin, p.stdin = r, w
	if err := f.start(p.cmd); err != nil {
		_ = w.Close()
		return err
	}
	return nil
}

// wait collects the output and the exit status of the process, and kills its descendants, so that
// an ended container holds no port and no pipe.
func (p *process) wait(marker []string, log *logFile, stdout, stderr *os.File) {
	defer close(p.done)
	read := make(chan struct{}, 2)
	for name, r := range map[string]*os.File{"stdout": stdout, "stderr": stderr} {
		go func() {
			log.consume(name, r)
			_ = r.Close()
			read <- struct{}{}
		}()
	}
	_ = p.cmd.Wait()
	p.exitCode, p.signal = exitOf(p.cmd.ProcessState)
	killMarked(marker)
	killGroup(p.cmd.Process.Pid)
	// A descendant that escaped both may hold the pipes: the deadline ends the reading.
	for _, r := range []*os.File{stdout, stderr} {
		_ = r.SetReadDeadline(time.Now().Add(outputGrace))
	}
	<-read
	<-read
	log.close()
	if p.stdin != nil {
		_ = p.stdin.Close()
	}
}

// terminate sends SIGTERM to the process alone, as container runtimes do, and not to its children.
func (p *process) terminate() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
}

// kill sends SIGKILL to the process; wait kills its descendants.
func (p *process) kill() {
	_ = p.cmd.Process.Kill()
}

// exitOf returns the exit code, with 128+N for signal N, as shells and container runtimes do.
func exitOf(s *os.ProcessState) (code, signal int32) {
	ws, ok := s.Sys().(syscall.WaitStatus)
	if !ok {
		return int32(s.ExitCode()), 0
	}
	if ws.Signaled() {
		n := int32(ws.Signal())
		return 128 + n, n
	}
	return int32(ws.ExitStatus()), 0
}

// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// maxProcesses is how many processes and threads this user may have.
func maxProcesses() uint64 {
	var own unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NPROC, &own) != nil {
		return 0
	}
	return own.Cur
}

// startLimited starts a program within limits. The kernel stops a traced
// program before its first instruction: it sees no moment without them. Where
// tracing is forbidden, it has microseconds. The calling thread has to be the
// one that starts all others.
func startLimited(cmd command, traced bool) error {
	cmd.SysProcAttr.Ptrace = traced
	if err := cmd.Start(); err != nil {
		return err
	}
	pid := cmd.Process.Pid
	if traced {
		// What has ended instead is left for Wait.
		var info unix.Siginfo
		for {
			err := unix.Waitid(unix.P_PID, pid, &info, unix.WSTOPPED|unix.WEXITED|unix.WNOWAIT, nil)
			if !errors.Is(err, unix.EINTR) {
				break
			}
		}
	}
	err := cmd.limits.set(pid)
	if traced {
		err = errors.Join(err, gone(syscall.PtraceDetach(pid)))
	}
	if err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return fmt.Errorf("set limits: %w", err)
	}
	return nil
}

// gone forgives that a process has ended already.
func gone(err error) error {
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	return err
}

func (l limits) set(pid int) error {
	var errs []error
	for resource, limit := range map[int]uint64{
		unix.RLIMIT_DATA: l.data, unix.RLIMIT_FSIZE: l.file, unix.RLIMIT_NPROC: l.processes,
	} {
		if limit == 0 {
			continue
		}
		var now unix.Rlimit
		err := unix.Prlimit(pid, resource, nil, &now)
		if err == nil {
			limit = min(limit, now.Max) // whoever started the node may have less
			err = unix.Prlimit(pid, resource, &unix.Rlimit{Cur: limit, Max: limit}, nil)
		}
		errs = append(errs, gone(err))
	}
	return errors.Join(errs...)
}

// mayTrace tries whether this system allows to trace a program, on one that is
// killed before it begins. The calling thread has to live on.
func mayTrace() bool {
	cmd := &exec.Cmd{Path: "/proc/self/exe", SysProcAttr: &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL}}
	if cmd.Start() != nil {
		return false
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return true
}

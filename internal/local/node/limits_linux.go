// SPDX-License-Identifier: Apache-2.0

package node

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/serin-dev/serin/internal/local/node/localhost"
)

// maxProcesses is how many processes and threads this user may have.
func maxProcesses() uint64 {
	var own unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NPROC, &own) != nil {
		return 0
	}
	return own.Cur
}

// startLimited starts a program within limits. A traced program is stopped by
// the kernel before its first instruction, so its limits are set before it runs.
// Where tracing is forbidden, it runs for microseconds without them. The calling
// thread has to be the one that starts all processes.
func startLimited(cmd command, traced bool) error {
	cmd.SysProcAttr.Ptrace = traced
	if err := cmd.Start(); err != nil {
		return err
	}
	pid := cmd.Process.Pid
	if traced {
		// WNOWAIT leaves the status of a process that ended to cmd.Wait.
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

// gone returns nil for the error of a process that has ended already.
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
		var was unix.Rlimit
		err := unix.Prlimit(pid, resource, nil, &was)
		if err == nil {
			limit = min(limit, was.Max) // the node itself may run under a lower limit
			err = unix.Prlimit(pid, resource, &unix.Rlimit{Cur: limit, Max: limit}, nil)
		}
		errs = append(errs, gone(err))
	}
	return errors.Join(errs...)
}

// tryOut reports whether this system allows tracing, and returns why it does not keep apart Pods that
// bind the same port. It tries with a program that it kills before the first instruction.
func tryOut() (traced bool, apart error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	cmd := &exec.Cmd{Path: "/proc/self/exe", SysProcAttr: &syscall.SysProcAttr{Ptrace: true, Pdeathsig: syscall.SIGKILL}}
	if err := cmd.Start(); err != nil {
		return false, fmt.Errorf("tracing is forbidden: %w", err)
	}
	apart = localhost.Check(cmd.Process.Pid)
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	return true, apart
}

// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// supported returns an error if the node cannot work on this system.
func supported() error { return nil }

func dieWithParent(cmd *exec.Cmd) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	// A session leader, which a terminal needs, is the leader of a group already.
	cmd.SysProcAttr.Setpgid = !cmd.SysProcAttr.Setsid
}

// controlTerminal makes the terminal that is cmd's standard input control it.
func controlTerminal(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
}

// killGroup kills all of a process group.
func killGroup(pid int) {
	_ = unix.Kill(-pid, unix.SIGKILL)
}

// killMarked kills every process that has all of these variables in its environment, in any process
// group or session, and waits until their ports are free. It repeats until none is left, because
// it misses a process that is just being forked. The bound is for processes that cannot die.
func killMarked(marker []string) {
	for range 20 {
		var dying []int
		for _, pid := range marked(marker) {
			dying = append(dying, killMarkedPid(pid, marker))
		}
		if len(dying) == 0 {
			return
		}
		for _, fd := range dying {
			awaitExit(fd)
		}
	}
}

// killMarkedPid kills a process and returns a descriptor of it, negative if there is none.
func killMarkedPid(pid int, marker []string) (fd int) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		_ = unix.Kill(pid, unix.SIGKILL)
		return -1
	}
	// A pidfd refers to one process for good, so the check below stays true of it.
	if hasAll(environ(pid), marker) {
		_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0)
	}
	return fd
}

// awaitExit waits until a process has exited. The kernel frees its environment before its sockets,
// so an empty environment does not mean that its ports are free.
func awaitExit(fd int) {
	if fd < 0 {
		return
	}
	defer func() { _ = unix.Close(fd) }()
	for deadline := time.Now().Add(time.Second); time.Now().Before(deadline); {
		poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		if n, err := unix.Poll(poll, 100); n > 0 || (err != nil && !errors.Is(err, unix.EINTR)) {
			return
		}
	}
}

// marked lists the living processes whose environment holds all of marker.
func marked(marker []string) []int {
	entries, _ := os.ReadDir("/proc")
	var found []int
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err == nil && pid != os.Getpid() && hasAll(environ(pid), marker) {
			found = append(found, pid)
		}
	}
	return found
}

func hasAll(environ []byte, marker []string) bool {
	if len(marker) == 0 {
		return false
	}
	all := bytes.Split(environ, []byte{0})
	for _, m := range marker {
		if !slices.ContainsFunc(all, func(e []byte) bool { return string(e) == m }) {
			return false
		}
	}
	return true
}

// startTime returns the start time of a process in ticks since boot. Together with the pid it is
// unique until the next boot.
func startTime(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	// The name, in parentheses, may hold anything; 20 fields after it comes the start time.
	_, rest, ok := bytes.Cut(stat[bytes.LastIndexByte(stat, '('):], []byte(") "))
	fields := bytes.Fields(rest)
	if !ok || len(fields) < 20 {
		return "", errors.New("unreadable /proc stat")
	}
	return string(fields[19]), nil
}

// diskSize is the size of the file system at path in bytes.
func diskSize(path string) int64 {
	var st unix.Statfs_t
	if err := unix.Statfs(path, &st); err != nil {
		return 0
	}
	return int64(st.Blocks) * st.Bsize
}

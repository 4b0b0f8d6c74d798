// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// supported says why the node cannot work on this system.
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

func killGroup(pid int, sig syscall.Signal) {
	_ = syscall.Kill(-pid, sig)
}

// killMarked kills every process that has all of these variables in its environment, whatever
// group or session it moved to. It looks again until none is left, since one that is being forked
// may be missed; the bound is for processes that cannot die.
func killMarked(marker []string) {
	for range 20 {
		found := marked(marker)
		for _, pid := range found {
			_ = syscall.Kill(pid, syscall.SIGKILL)
		}
		if len(found) == 0 {
			return
		}
	}
}

// marked lists the living processes whose environment holds all of marker.
func marked(marker []string) []int {
	names, _ := filepath.Glob("/proc/[0-9]*/environ")
	var found []int
	for _, name := range names {
		env, err := os.ReadFile(name)
		if err != nil || !hasAll(env, marker) {
			continue
		}
		pid, _ := strconv.Atoi(strings.Split(name, "/")[2])
		if pid != os.Getpid() {
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

// startTime is when a process began, in the kernel's ticks: with the pid it names one process for
// as long as the machine runs.
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
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return 0
	}
	return int64(st.Blocks) * st.Bsize
}

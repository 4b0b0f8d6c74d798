// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"math"
	"os/exec"
	"syscall"
)

// freeSpace returns how many bytes an unprivileged user may still write to the
// disk of a directory.
func freeSpace(dir string) uint64 {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return math.MaxUint64
	}
	return s.Bavail * uint64(s.Bsize)
}

// dieWithParent makes the kernel kill a child when the thread that starts it
// ends, and keeps a terminal's Ctrl-C from it: etcd has to end after its clients.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

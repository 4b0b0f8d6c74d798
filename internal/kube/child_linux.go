// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"math"
	"os/exec"
	"syscall"
)

// freeSpace is how many bytes the disk of a directory has left for us.
func freeSpace(dir string) uint64 {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return math.MaxUint64
	}
	return s.Bavail * uint64(s.Bsize)
}

// dieWithParent ties a child to the thread that starts it, and keeps a
// terminal's Ctrl-C from it: it is to end after those who use it.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

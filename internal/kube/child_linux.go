// SPDX-License-Identifier: Apache-2.0

package kube

import (
	"os/exec"
	"syscall"
)

// dieWithParent ties a child to the thread that starts it, and keeps a
// terminal's Ctrl-C from it: it is to end after those who use it.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}

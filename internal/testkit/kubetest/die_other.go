// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package kubetest

import "os/exec"

func dieWithParent(*exec.Cmd) {}

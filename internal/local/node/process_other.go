// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package node

import (
	"errors"
	"os/exec"
)

var errUnsupported = errors.New("the process node works on Linux only")

func supported() error { return errUnsupported }

func startLimited(command, bool) error { return errUnsupported }

func tryOut() (traced bool, apart error) { return false, errUnsupported }

func maxProcesses() uint64 { return 0 }

func dieWithParent(*exec.Cmd) {}

func controlTerminal(*exec.Cmd) {}

func killGroup(int) {}

func killMarked([]string) {}

func startTime(int) (string, error) { return "", errUnsupported }

func diskSize(string) int64 { return 0 }

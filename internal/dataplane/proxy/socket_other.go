// SPDX-License-Identifier: Apache-2.0

//go:build !linux || race

package proxy

import (
	"bufio"
	"io"
	"net"
	"syscall"
)

// rawIO returns nc itself.
func rawIO(nc net.Conn) io.ReadWriter { return nc }

// readNow fails with EAGAIN if there is no input. It leaves the reading to br.
func readNow(_ io.ReadWriter, fd uintptr, _ *bufio.Reader) error { return peek(fd) }

// peek checks for input without waiting or consuming it. It returns nil if there is
// input or the end of it, and EAGAIN if there is neither.
func peek(fd uintptr) error {
	var b [1]byte
	_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return err
}

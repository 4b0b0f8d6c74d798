// SPDX-License-Identifier: Apache-2.0

//go:build !linux || race

package proxy

import (
	"bufio"
	"io"
	"net"
	"syscall"
)

// rawIO returns nc's quickest Reader and Writer.
func rawIO(nc net.Conn) io.ReadWriter { return nc }

// readNow fails with EAGAIN if nothing can be read. What can is read later.
func readNow(_ io.ReadWriter, fd uintptr, _ *bufio.Reader) error { return peek(fd) }

// peek looks for a byte without waiting or taking it: nil means there is one,
// or the end, and EAGAIN neither.
func peek(fd uintptr) error {
	var b [1]byte
	_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return err
}

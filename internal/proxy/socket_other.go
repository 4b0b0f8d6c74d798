// SPDX-License-Identifier: Apache-2.0

//go:build !linux || race

package proxy

import (
	"io"
	"net"
	"syscall"
)

// rawIO returns nc's quickest Reader and Writer.
func rawIO(nc net.Conn) io.ReadWriter { return nc }

// peek looks for a byte without waiting or taking it: nil means there is one,
// or the end, and EAGAIN neither.
func peek(fd uintptr) error {
	var b [1]byte
	_, _, err := syscall.Recvfrom(int(fd), b[:], syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
	return err
}

// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// unsent returns how many bytes in the kernel's send buffer the other side has not
// acknowledged.
func unsent(nc net.Conn) (n int) {
	c, ok := nc.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) { // an error means that the connection is closed
		n, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) // an error leaves zero
	})
	return n
}

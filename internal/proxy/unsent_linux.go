// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// unsent returns how many bytes the kernel holds that the other side has not
// acknowledged yet.
func unsent(nc net.Conn) (n int) {
	c, ok := nc.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) { // an error means that it is closed
		n, _ = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) // zero then
	})
	return n
}

// SPDX-License-Identifier: Apache-2.0

package server

import (
	"errors"
	"net"
	"syscall"
)

var errGone = errors.New("the client is gone")

// gone returns an error if the client has closed conn. It peeks at the next byte and
// consumes none.
func gone(conn net.Conn) error {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil // a connection that cannot be asked is not gone
	}
	var result error
	_ = raw.Control(func(fd uintptr) { // Read would heed the deadline of the request
		n, _, err := syscall.Recvfrom(int(fd), make([]byte, 1), syscall.MSG_PEEK|syscall.MSG_DONTWAIT)
		if n == 0 && err == nil || errors.Is(err, syscall.ECONNRESET) {
			result = errGone
		}
	})
	return result
}

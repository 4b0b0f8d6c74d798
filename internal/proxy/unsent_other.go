// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package proxy

import "net"

// unsent is not known here: what the kernel takes counts as read.
func unsent(net.Conn) int { return 0 }

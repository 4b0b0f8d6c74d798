// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package localhost

import (
	"errors"
	"net/netip"
)

var errUnsupported = errors.New("only Linux has rooms")

// Room is a localhost, and the programs in it.
type Room struct{}

// Enter returns an error.
func Enter(Addresses, func(pid int, network string, to netip.AddrPort)) (*Room, error) {
	return nil, errUnsupported
}

// Leave does nothing.
func (*Room) Leave() {}

// Check returns an error.
func Check(int) error { return errUnsupported }

// SPDX-License-Identifier: Apache-2.0

// Package localhost gives programs a localhost of their own, without root: each that listens on all
// interfaces, or on localhost, gets the same port of an address that is theirs alone.
//
// A thread enters a Room. Each program that it starts from then on is in the room, and so is all that
// these start. The kernel stops them at bind(2) and connect(2) (seccomp's user notification), and the
// room reads the address. If the address is of the machine, the room does the call in place of the
// program, with its own address, and hands back the result:
//
//	bind    0.0.0.0:8080, 127.0.0.1:8080, [::]:8080     -> Addresses.V4:8080
//	bind    [::1]:8080, [::]:8080 (IPv6 only)           -> Addresses.V6:8080
//	connect 127.0.0.1:8080, [::1]:8080                  -> there, if the room has bound port 8080
//
// Everything else goes on as if there were no room: other addresses, port 0, other protocols than TCP
// and UDP, and ports of localhost that belong to the machine. A room protects nothing and nobody.
//
// It works on Linux 5.6 and later, on amd64 and arm64; elsewhere Enter returns an error.
package localhost

import (
	"encoding/binary"
	"net/netip"
)

// Addresses are those of a room. Both are of 127.0.0.0/8, which needs no setup, but not of
// 127.0.0.0/16, the machine's.
type Addresses struct {
	V4 netip.Addr // for IPv4, and for sockets of both families
	V6 netip.Addr // for sockets of IPv6 alone: they may use the same ports
}

// ports are those that a room's programs have bound. A port stays bound after its program ended: a
// client that finds none there is refused, as on any machine, and does not reach the machine's.
type ports map[port]families

type port struct {
	network string // tcp or udp
	number  uint16
}

type families struct{ v4, v6 bool }

// note records that an address was bound.
func (p ports) note(network string, a netip.AddrPort, own Addresses) {
	key := port{network, a.Port()}
	f := p[key]
	f.v4 = f.v4 || a.Addr().Unmap() == own.V4
	f.v6 = f.v6 || a.Addr().Unmap() == own.V6
	p[key] = f
}

// have reports whether a port is bound in any network.
func (p ports) have(number uint16) bool {
	return p[port{"tcp", number}] != families{} || p[port{"udp", number}] != families{}
}

// bind returns where a socket is bound that a program binds to a.
func (own Addresses) bind(a netip.AddrPort, only6 bool) netip.AddrPort {
	switch {
	case a.Port() == 0 || !ofMachine(a.Addr()):
		return a
	case is6(a) && (only6 || !a.Addr().IsUnspecified()):
		return netip.AddrPortFrom(own.V6, a.Port())
	}
	return netip.AddrPortFrom(own.V4, a.Port())
}

// connect returns where a socket is connected that a program connects to a, when its port is bound so.
func (own Addresses) connect(a netip.AddrPort, bound families) netip.AddrPort {
	switch {
	case bound == families{} || !ofMachine(a.Addr()):
		return a
	case bound.v6 && is6(a):
		return netip.AddrPortFrom(own.V6, a.Port())
	}
	return netip.AddrPortFrom(own.V4, a.Port())
}

// has reports whether an address is one of the two.
func (own Addresses) has(a netip.Addr) bool { return a.Unmap() == own.V4 || a.Unmap() == own.V6 }

// is6 reports whether an address is of IPv6, and not one of IPv4 written so.
func is6(a netip.AddrPort) bool { return a.Addr().Is6() && !a.Addr().Is4In6() }

// ofMachine reports whether an address means all interfaces, or is of 127.0.0.0/16 or ::1. Systems
// give their own name an address there, such as 127.0.1.1.
func ofMachine(a netip.Addr) bool {
	a = a.Unmap()
	if a.IsUnspecified() || a == netip.IPv6Loopback() {
		return true
	}
	return a.Is4() && a.As4()[0] == 127 && a.As4()[1] == 0
}

// Address families of a socket address, the same on all that Linux runs on.
const (
	inet4 = 2
	inet6 = 10
	// Sizes of their socket addresses. The last four bytes of the second may be missing.
	size4, size6, least6 = 16, 28, 24
)

// parse reads a socket address as programs pass it. ok is false if it is none of TCP or UDP.
func parse(raw []byte) (a netip.AddrPort, ok bool) {
	if len(raw) < size4 {
		return a, false
	}
	number := binary.BigEndian.Uint16(raw[2:])
	switch family := binary.NativeEndian.Uint16(raw); {
	case family == inet4:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(raw[4:])), number), true
	case family == inet6 && len(raw) >= least6:
		return netip.AddrPortFrom(netip.AddrFrom16([16]byte(raw[8:])), number), true
	}
	return a, false
}

// encode writes an address for a socket of IPv4, or as one of IPv6.
func encode(a netip.AddrPort, as6 bool) []byte {
	if !as6 {
		raw := make([]byte, size4)
		binary.NativeEndian.PutUint16(raw, inet4)
		binary.BigEndian.PutUint16(raw[2:], a.Port())
		ip := a.Addr().Unmap().As4()
		copy(raw[4:], ip[:])
		return raw
	}
	raw := make([]byte, size6)
	binary.NativeEndian.PutUint16(raw, inet6)
	binary.BigEndian.PutUint16(raw[2:], a.Port())
	ip := a.Addr().As16()
	copy(raw[8:], ip[:])
	return raw
}

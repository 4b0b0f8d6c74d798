// SPDX-License-Identifier: Apache-2.0

package localhost

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// answer does a call in place of the program and returns its result. done is false if the kernel is to
// go on with the program's own call, as it does with all that is not understood here.
func (r *Room) answer(n *notification) (errno unix.Errno, done bool) {
	a, ok := parse(memory(n))
	if !ok {
		return 0, false
	}
	if n.call == unix.SYS_BIND {
		return r.bind(n, a)
	}
	return r.connect(n, a)
}

func (r *Room) bind(n *notification, a netip.AddrPort) (errno unix.Errno, done bool) {
	if a.Port() == 0 || !ofMachine(a.Addr()) && !r.addresses.has(a.Addr()) {
		return 0, false
	}
	s, err := r.socketOf(n)
	if err != nil {
		return 0, false
	}
	defer s.close()
	to := r.addresses.bind(a, s.only6())
	if to == a {
		r.bound.note(s.network, a, r.addresses)
		return 0, false
	}
	switch errno = s.call(unix.SYS_BIND, to); errno {
	case 0:
		r.bound.note(s.network, to, r.addresses)
	case unix.EADDRINUSE:
		r.refused(int(n.pid), s.network, to)
	case unix.EADDRNOTAVAIL: // a socket of another network namespace
		return 0, false
	default:
	}
	return errno, true
}

func (r *Room) connect(n *notification, a netip.AddrPort) (errno unix.Errno, done bool) {
	if !ofMachine(a.Addr()) || !r.bound.have(a.Port()) {
		return 0, false
	}
	s, err := r.socketOf(n)
	if err != nil {
		return 0, false
	}
	defer s.close()
	to := r.addresses.connect(a, r.bound[port{s.network, a.Port()}])
	if to == a {
		return 0, false
	}
	flags, err := unix.FcntlInt(uintptr(s.fd), unix.F_GETFL, 0)
	if err != nil {
		return 0, false
	}
	if flags&unix.O_NONBLOCK != 0 {
		return s.call(unix.SYS_CONNECT, to), true
	}
	// The room does not wait: it begins to connect, and the program's own call, which the kernel goes on
	// with, waits for the end of that, whatever its address is.
	_, _ = unix.FcntlInt(uintptr(s.fd), unix.F_SETFL, flags|unix.O_NONBLOCK)
	errno = s.call(unix.SYS_CONNECT, to)
	_, _ = unix.FcntlInt(uintptr(s.fd), unix.F_SETFL, flags)
	return errno, errno != unix.EINPROGRESS
}

// memory reads the address of a call from the memory of its program.
func memory(n *notification) []byte {
	var raw [size6]byte
	size := min(n.args[2], size6)
	local := []unix.Iovec{{Base: &raw[0]}}
	local[0].SetLen(int(size))
	remote := []unix.RemoteIovec{{Base: uintptr(n.args[1]), Len: int(size)}}
	read, err := unix.ProcessVMReadv(int(n.pid), local, remote, 0)
	if err != nil {
		return nil
	}
	return raw[:read]
}

// socket is a program's socket, under a descriptor of ours.
type socket struct {
	fd      int
	network string
	is6     bool
}

// socketOf returns the socket of a call, if it is one of TCP or UDP.
func (r *Room) socketOf(n *notification) (s socket, err error) {
	process, err := processOf(int(n.pid))
	if err != nil {
		return s, err
	}
	defer func() { _ = unix.Close(process) }()
	// The thread has waited until now, so its number was not given to another, and what was read is its.
	if errno := r.control(unix.SECCOMP_IOCTL_NOTIF_ID_VALID, unsafe.Pointer(&n.id)); errno != 0 {
		return s, errno
	}
	if s.fd, err = unix.PidfdGetfd(process, int(int32(n.args[0])), 0); err != nil {
		return s, err
	}
	protocol, err := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
	domain, err2 := unix.GetsockoptInt(s.fd, unix.SOL_SOCKET, unix.SO_DOMAIN)
	switch {
	case err != nil || err2 != nil || domain != unix.AF_INET && domain != unix.AF_INET6:
		err = errOther
	case protocol == unix.IPPROTO_TCP || protocol == unix.IPPROTO_MPTCP:
		s.network = "tcp"
	case protocol == unix.IPPROTO_UDP:
		s.network = "udp"
	default:
		err = errOther
	}
	if err != nil {
		s.close()
		return s, err
	}
	s.is6 = domain == unix.AF_INET6
	return s, nil
}

var errOther = errors.New("no socket of TCP or UDP")

// processOf opens a thread, or its process where the kernel cannot do that: before Linux 6.9.
func processOf(thread int) (fd int, err error) {
	if fd, err = unix.PidfdOpen(thread, unix.PIDFD_THREAD); !errors.Is(err, unix.EINVAL) {
		return fd, err
	}
	process, err := leader(thread)
	if err != nil {
		return -1, err
	}
	return unix.PidfdOpen(process, 0)
}

// leader returns the number of a thread's process.
func leader(thread int) (process int, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", thread))
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(status, []byte("\nTgid:"))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	return strconv.Atoi(string(bytes.TrimSpace(line)))
}

func (s socket) close() { _ = unix.Close(s.fd) }

// only6 reports whether the socket takes IPv6 alone.
func (s socket) only6() bool {
	only, err := unix.GetsockoptInt(s.fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
	return s.is6 && err == nil && only != 0
}

// call binds or connects the socket.
func (s socket) call(number uintptr, to netip.AddrPort) unix.Errno {
	only6 := s.only6()
	if only6 {
		// Such a socket takes no addresses of IPv4. If it is bound already, this fails, and so will the call.
		_ = unix.SetsockoptInt(s.fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
	}
	raw := encode(to, s.is6)
	_, _, errno := unix.Syscall(number, uintptr(s.fd), uintptr(unsafe.Pointer(&raw[0])), uintptr(len(raw)))
	if only6 && errno != 0 && errno != unix.EINPROGRESS {
		_ = unix.SetsockoptInt(s.fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1) // the program may try another port
	}
	return errno
}

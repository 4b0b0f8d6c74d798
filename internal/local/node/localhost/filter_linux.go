// SPDX-License-Identifier: Apache-2.0

package localhost

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Offsets in seccomp_data. The length of an address is the third argument of both calls; its lower
// half comes first on the architectures below.
const (
	dataCall   = 0
	dataArch   = 4
	dataLength = 16 + 2*8
)

// architectures are the values of seccomp_data.arch.
var architectures = map[string]uint32{"amd64": unix.AUDIT_ARCH_X86_64, "arm64": unix.AUDIT_ARCH_AARCH64}

// install makes the kernel ask the returned descriptor about each bind and connect of this thread, and
// of all programs that it starts. There is no way back.
func install() (listener int, err error) {
	arch, ok := architectures[runtime.GOARCH]
	if !ok {
		return -1, fmt.Errorf("not on %s", runtime.GOARCH)
	}
	// Without it, only root may filter. It takes their power from setuid programs.
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return -1, os.NewSyscallError("no_new_privs", err)
	}
	code := filter(arch)
	program := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	// SPEC_ALLOW: before Linux 5.16, a filter slows all code down against speculation.
	flags := uintptr(unix.SECCOMP_FILTER_FLAG_NEW_LISTENER | unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW)
	// Since Linux 5.19 a signal does not interrupt a program whose call is being done here, only one
	// whose call was not received yet.
	for _, more := range []uintptr{unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, 0} {
		fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags|more, uintptr(unsafe.Pointer(&program)))
		switch errno {
		case 0:
			return int(fd), nil
		case unix.EINVAL:
			err = os.NewSyscallError("seccomp", errno)
		case unix.EBUSY:
			return -1, errors.New("another program watches the calls of this one already (seccomp)")
		default:
			return -1, os.NewSyscallError("seccomp", errno)
		}
	}
	return -1, err
}

// filter returns the program that the kernel runs at each call, in classic BPF. It lets pass what
// cannot be an address of TCP or UDP: a shorter one (netlink) and a full one of a Unix socket.
func filter(arch uint32) []unix.SockFilter {
	const (
		load    = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		equal   = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		atLeast = unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K
		answer  = unix.BPF_RET | unix.BPF_K
	)
	return []unix.SockFilter{
		{Code: load, K: dataArch},
		{Code: equal, K: arch, Jf: 6},
		{Code: load, K: dataCall},
		{Code: equal, K: unix.SYS_BIND, Jt: 1},
		{Code: equal, K: unix.SYS_CONNECT, Jf: 3},
		{Code: load, K: dataLength},
		{Code: atLeast, K: size4, Jf: 1},
		{Code: equal, K: unix.SizeofSockaddrUnix, Jf: 1},
		{Code: answer, K: unix.SECCOMP_RET_ALLOW},
		{Code: answer, K: unix.SECCOMP_RET_USER_NOTIF},
	}
}

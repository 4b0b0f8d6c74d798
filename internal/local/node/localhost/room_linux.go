// SPDX-License-Identifier: Apache-2.0

package localhost

import (
	"net/netip"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Room is a localhost, and the programs in it.
type Room struct {
	addresses Addresses
	refused   func(pid int, network string, to netip.AddrPort)
	bound     ports
	listener  int
	owner     int // the thread that entered
	ended     chan struct{}
}

// Enter puts the calling thread into a room, for good: the goroutine has to be locked to it, and may
// itself neither bind nor connect. refused is called for a bind that failed because the address is
// taken; until it returns, the room's programs wait.
func Enter(a Addresses, refused func(pid int, network string, to netip.AddrPort)) (*Room, error) {
	listener, err := install()
	if err != nil {
		return nil, err
	}
	r := &Room{addresses: a, refused: refused, bound: ports{}, listener: listener, owner: unix.Gettid(), ended: make(chan struct{})}
	go r.serve()
	return r, nil
}

// Leave ends the room. The thread that entered has to call it, and to end then. A program that is still
// in the room cannot bind or connect any more (ENOSYS).
func (r *Room) Leave() {
	// The owner's own call is what wakes serve and tells it to end.
	_, _, _ = unix.Syscall(unix.SYS_BIND, ^uintptr(0), 0, size4)
	<-r.ended
}

// notification and response are seccomp_notif and seccomp_notif_resp.
type notification struct {
	id    uint64
	pid   uint32 // of the thread
	flags uint32
	call  int32
	arch  uint32
	_     uint64 // instruction pointer
	args  [6]uint64
}

type response struct {
	id    uint64
	value int64
	errno int32
	flags uint32
}

// serve answers the kernel until the owner leaves.
func (r *Room) serve() {
	defer close(r.ended)
	defer func() { _ = unix.Close(r.listener) }()
	for {
		n := notification{}
		switch errno := r.control(unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&n)); errno {
		case 0:
		case unix.EINTR, unix.ENOENT: // ENOENT: the program was killed
			continue
		default:
			return
		}
		answer := response{id: n.id, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}
		leaving := int(n.pid) == r.owner
		if !leaving {
			if errno, done := r.answer(&n); done {
				answer = response{id: n.id, errno: -int32(errno)}
			}
		}
		_ = r.control(unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&answer))
		if leaving {
			return
		}
	}
}

func (r *Room) control(request uintptr, arg unsafe.Pointer) unix.Errno {
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(r.listener), request, uintptr(arg))
	return errno
}

// Check returns why this system has no rooms, for programs like child: a process that the caller started.
// Its caller's thread does not enter one.
func Check(child int) error {
	process, err := unix.PidfdOpen(child, 0)
	if err != nil {
		return os.NewSyscallError("pidfd_open", err)
	}
	defer func() { _ = unix.Close(process) }()
	input, err := unix.PidfdGetfd(process, 0, 0)
	if err != nil {
		return os.NewSyscallError("pidfd_getfd", err)
	}
	_ = unix.Close(input)
	// Reading nothing, which has a result all the same: some systems forbid the call.
	if _, err := unix.ProcessVMReadv(child, nil, nil, 0); err != nil {
		return os.NewSyscallError("process_vm_readv", err)
	}
	result := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the filter ends with the thread
		listener, err := install()
		if err == nil {
			_ = unix.Close(listener)
		}
		result <- err
	}()
	return <-result
}

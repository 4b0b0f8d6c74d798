// SPDX-License-Identifier: Apache-2.0

//go:build linux && !race

package proxy

import (
	"bufio"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"unsafe"
)

// socket reads and writes a connection by raw system calls, without the calls of
// entersyscall and exitsyscall to Go's scheduler. The sockets of package net do not
// block, so the scheduler need not know. Notifying it costs twice: around each call,
// and by waking its monitor, which on a busy machine takes the processor away from
// calls of a few microseconds. That is a tenth of the cost of a proxied request.
//
// The race detector does not see the ordering by such calls, so its builds use
// socket_other.go.
type socket struct {
	raw     syscall.RawConn
	in, out transfer
	sending pendingRequest
	now     bool    // set within readNow
	fd      uintptr // valid within readNow
}

// pendingRequest is a send in progress.
type pendingRequest struct {
	transfer
	waits bool // all bytes are written
}

// transfer is a Read or a Write in progress. There is at most one of each.
type transfer struct {
	b   []byte
	n   int
	err syscall.Errno
	try func(fd uintptr) bool // makes progress without blocking; false means that the poller must wait
}

// rawIO returns the fastest Reader and Writer of nc.
func rawIO(nc net.Conn) io.ReadWriter {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nc
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nc // closed, which its first use reports
	}
	s := &socket{raw: raw}
	s.in.try, s.out.try, s.sending.try = s.in.read, s.out.write, s.sending.send
	return s
}

// readNow reads the available input into br, and fails with EAGAIN if there is none.
// It is called within RawConn.Read, where fd may be read.
func readNow(raw io.ReadWriter, fd uintptr, br *bufio.Reader) error {
	if s, ok := raw.(*socket); ok {
		s.now, s.fd = true, fd
		_, err := br.Peek(1)
		s.now = false
		return err
	}
	return peek(fd)
}

// send writes b, unless the connection is closed or has input, and waits for input.
// It returns how many bytes it wrote.
//
// That saves a system call: a Read after a Write first tries to read, mostly too
// early for a response, and then waits.
func (s *socket) send(b []byte) (int, error) {
	q := &s.sending
	q.b, q.n, q.err, q.waits = b, 0, 0, false
	err := s.raw.Read(q.try)
	if err == nil && q.err != 0 {
		err = os.NewSyscallError("write", q.err)
	}
	n := q.n
	if err == nil && n < len(b) {
		var rest int
		rest, err = s.Write(b[n:])
		n += rest
	}
	return n, err
}

func (s *socket) Read(b []byte) (int, error) {
	if len(b) == 0 {
		return 0, nil
	}
	s.in.b = b
	if s.now {
		if !s.in.read(s.fd) {
			return 0, syscall.EAGAIN
		}
	} else if err := s.raw.Read(s.in.try); err != nil {
		return 0, err
	}
	if s.in.err != 0 {
		return 0, os.NewSyscallError("read", s.in.err)
	}
	if s.in.n == 0 {
		return 0, io.EOF
	}
	return s.in.n, nil
}

func (s *socket) Write(b []byte) (int, error) {
	s.out.b, s.out.n, s.out.err = b, 0, 0
	if err := s.raw.Write(s.out.try); err != nil {
		return s.out.n, err
	}
	if s.out.err != 0 {
		return s.out.n, os.NewSyscallError("write", s.out.err)
	}
	return s.out.n, nil
}

func (t *transfer) read(fd uintptr) bool {
	t.n, t.err = system(syscall.SYS_RECVFROM, fd, t.b)
	return t.err != syscall.EAGAIN
}

// send is called within RawConn.Read, which has reset the poller before. So input
// that arrives after the peek ends the wait.
func (q *pendingRequest) send(fd uintptr) bool {
	if q.waits {
		return true
	}
	if !errors.Is(peek(fd), syscall.EAGAIN) {
		q.err = syscall.EPIPE // closed, or with unrequested input, and so unusable
		return true
	}
	q.n, q.err = system(syscall.SYS_SENDTO, fd, q.b)
	if q.err == syscall.EAGAIN {
		q.err = 0
	}
	q.waits = q.err == 0 && q.n == len(q.b)
	return !q.waits
}

func (t *transfer) write(fd uintptr) bool {
	for t.n < len(t.b) {
		var n int
		if n, t.err = system(syscall.SYS_SENDTO, fd, t.b[t.n:]); t.err != 0 {
			return t.err != syscall.EAGAIN
		}
		t.n += n
	}
	return true
}

// system receives into b, or sends it, by recvfrom or sendto. These skip the work of
// read and write for files of any kind.
func system(number, fd uintptr, b []byte) (int, syscall.Errno) {
	const flags = syscall.MSG_DONTWAIT | syscall.MSG_NOSIGNAL
	for {
		n, _, err := syscall.RawSyscall6(number, fd, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), flags, 0, 0)
		switch err {
		case 0:
			return int(n), 0
		case syscall.EINTR:
		default:
			return 0, err
		}
	}
}

// peek checks for input without waiting or consuming it. It returns nil if there is
// input or the end of it, and EAGAIN if there is neither.
func peek(fd uintptr) error {
	var b [1]byte
	if _, _, err := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b)), 1, syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0); err != 0 {
		return err
	}
	return nil
}

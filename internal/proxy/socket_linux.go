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

// socket reads and writes a connection like the connection itself, but without
// telling Go's scheduler about every system call. They cannot block, as sockets
// of package net never do, while telling costs twice: around each call, and by
// waking the scheduler's monitor, which on a busy machine then takes the
// processor away from calls that last a few microseconds. It is a tenth of what
// a proxied request costs.
//
// The race detector would miss what is ordered by such calls, so its builds do
// without.
type socket struct {
	raw     syscall.RawConn
	in, out transfer
	asking  question
	now     bool    // readNow reads
	fd      uintptr // then
}

// question is an ask on its way.
type question struct {
	transfer
	waits bool // it is written
}

// transfer is a Read or a Write on its way. There is one of each at a time.
type transfer struct {
	b   []byte
	n   int
	err syscall.Errno
	try func(fd uintptr) bool // does what can be done now; false asks to wait for more
}

// rawIO returns nc's quickest Reader and Writer.
func rawIO(nc net.Conn) io.ReadWriter {
	tcp, ok := nc.(*net.TCPConn)
	if !ok {
		return nc
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nc // closed, as its first use will tell
	}
	s := &socket{raw: raw}
	s.in.try, s.out.try, s.asking.try = s.in.read, s.out.write, s.asking.ask
	return s
}

// readNow reads into br what is there, and fails with EAGAIN if nothing is. It
// is called where the descriptor may be read already.
func readNow(raw io.ReadWriter, fd uintptr, br *bufio.Reader) error {
	if s, ok := raw.(*socket); ok {
		s.now, s.fd = true, fd
		_, err := br.Peek(1)
		s.now = false
		return err
	}
	return peek(fd)
}

// ask writes b, if the connection is open and nothing waits to be read, and
// waits for something to read. It returns how much it wrote.
//
// A Read after a Write tries first, mostly in vain, as the answer takes longer
// than that, and then waits all the same.
func (s *socket) ask(b []byte) (int, error) {
	q := &s.asking
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

// ask is called in a Read, which has forgotten by then what was there to be
// read before: whatever comes after the look ends the wait.
func (q *question) ask(fd uintptr) bool {
	if q.waits {
		return true
	}
	if !errors.Is(peek(fd), syscall.EAGAIN) {
		q.err = syscall.EPIPE // it is closed, or as good as that
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

// system receives into b, or sends it. That spares what read and write do for
// files of any kind.
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

// peek looks for a byte without waiting or taking it: nil means there is one,
// or the end, and EAGAIN neither.
func peek(fd uintptr) error {
	var b [1]byte
	if _, _, err := syscall.RawSyscall6(syscall.SYS_RECVFROM, fd, uintptr(unsafe.Pointer(&b)), 1, syscall.MSG_PEEK|syscall.MSG_DONTWAIT, 0, 0); err != 0 {
		return err
	}
	return nil
}

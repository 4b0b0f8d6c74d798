// SPDX-License-Identifier: Apache-2.0

package localhost

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// programEnv makes the test binary a program that does what it reads, line by line, and prints one line
// about each.
const programEnv = "SERIN_LOCALHOST_TEST_PROGRAM"

func TestMain(m *testing.M) {
	if name := os.Getenv(programEnv); name != "" {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			answer, err := perform(name, strings.Fields(lines.Text()))
			if err != nil {
				answer = "error: " + err.Error()
			}
			fmt.Println(answer)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

var last io.Closer

// perform does one step of a program. All that it serves answers with its name.
func perform(name string, step []string) (string, error) {
	verb, network, address := step[0], step[1], step[2]
	ctx := context.Background()
	switch verb {
	case "listen", "share":
		config := net.ListenConfig{}
		if verb == "share" {
			config.Control = reusePort
		}
		if strings.HasPrefix(network, "udp") {
			c, err := config.ListenPacket(ctx, network, address)
			if err != nil {
				return "", err
			}
			last = c
			go echo(name, c)
			return c.LocalAddr().String(), nil
		}
		l, err := config.Listen(ctx, network, address)
		if err != nil {
			return "", err
		}
		last = l
		go greet(name, l)
		return l.Addr().String(), nil
	case "close":
		return "closed", last.Close()
	case "dial":
		c, err := new(net.Dialer).DialContext(ctx, network, address)
		if err != nil {
			return "", err
		}
		return hear(c)
	case "block": // a call of connect that waits
		return block(network, address)
	case "mapped": // an address of IPv4 on a socket of IPv6
		fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0)
		if err != nil {
			return "", err
		}
		at := netip.MustParseAddrPort(address)
		if err := unix.Bind(fd, &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}); err != nil {
			return "", err
		}
		return bound(fd)
	case "netlink":
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)
		if err != nil {
			return "", err
		}
		return "ok", unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
	case "bad": // addresses that no program should pass
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
		if err != nil {
			return "", err
		}
		_, _, errno := unix.Syscall(unix.SYS_BIND, uintptr(fd), 1, size4)
		_, _, errno2 := unix.Syscall(unix.SYS_BIND, ^uintptr(0), 0, size6)
		return fmt.Sprint(errno, ", ", errno2), nil
	}
	return "", fmt.Errorf("unknown step %q", verb)
}

func reusePort(_, _ string, c syscall.RawConn) error {
	return c.Control(func(fd uintptr) { _ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) })
}

func greet(name string, l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = io.WriteString(c, name+"\n")
		_ = c.Close()
	}
}

func echo(name string, c net.PacketConn) {
	var data [16]byte
	for {
		_, from, err := c.ReadFrom(data[:])
		if err != nil {
			return
		}
		_, _ = c.WriteTo([]byte(name+"\n"), from)
	}
}

// hear returns the name of what answers a connection.
func hear(c net.Conn) (string, error) {
	defer func() { _ = c.Close() }()
	if _, ok := c.(*net.UDPConn); ok {
		if _, err := c.Write([]byte("?")); err != nil {
			return "", err
		}
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	return strings.TrimSpace(line), err
}

func block(network, address string) (string, error) {
	at := netip.MustParseAddrPort(address)
	kind := unix.SOCK_STREAM
	if network == "udp" {
		kind = unix.SOCK_DGRAM
	}
	family, to := unix.AF_INET6, unix.Sockaddr(&unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()})
	if at.Addr().Is4() {
		family, to = unix.AF_INET, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}
	}
	fd, err := unix.Socket(family, kind, 0)
	if err != nil {
		return "", err
	}
	if err := unix.Connect(fd, to); err != nil {
		return "", err
	}
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_NONBLOCK != 0 {
		return "", errors.Join(err, errors.New("the socket does not block any more"))
	}
	f := os.NewFile(uintptr(fd), address)
	c, err := net.FileConn(f)
	if err != nil {
		return "", err
	}
	return hear(c)
}

func bound(fd int) (string, error) {
	at, err := unix.Getsockname(fd)
	if err != nil {
		return "", err
	}
	switch at := at.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(at.Addr), uint16(at.Port)).String(), nil
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(at.Addr), uint16(at.Port)).String(), nil
	}
	return fmt.Sprintf("%T", at), nil
}

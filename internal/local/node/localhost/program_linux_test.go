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
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

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

// steps are what programs can do: with their name, a network and an address. What they serve answers with
// the name.
var steps = map[string]func(name, network, address string) (string, error){
	"listen": func(name, network, address string) (string, error) {
		return listen(&net.ListenConfig{}, name, network, address)
	},
	"share": func(name, network, address string) (string, error) {
		return listen(&net.ListenConfig{Control: reusePort}, name, network, address)
	},
	"close": func(string, string, string) (string, error) { return "closed", last.Close() },
	"dial": func(_, network, address string) (string, error) {
		c, err := new(net.Dialer).DialContext(context.Background(), network, address)
		if err != nil {
			return "", err
		}
		return hear(c)
	},
	"block":   func(_, network, address string) (string, error) { return block(network, address) },
	"mapped":  func(_, _, address string) (string, error) { return mapped(address) },
	"netlink": func(string, string, string) (string, error) { return netlink() },
	"bad":     func(string, string, string) (string, error) { return bad() },
	"time":    func(_, network, address string) (string, error) { return median(network, address) },
}

var last io.Closer // what the program listens with

func perform(name string, step []string) (string, error) {
	do, ok := steps[step[0]]
	if !ok {
		return "", fmt.Errorf("unknown step %q", step[0])
	}
	return do(name, step[1], step[2])
}

func listen(config *net.ListenConfig, name, network, address string) (string, error) {
	if strings.HasPrefix(network, "udp") {
		c, err := config.ListenPacket(context.Background(), network, address)
		if err != nil {
			return "", err
		}
		last = c
		go echo(name, c)
		return c.LocalAddr().String(), nil
	}
	l, err := config.Listen(context.Background(), network, address)
	if err != nil {
		return "", err
	}
	last = l
	go greet(name, l)
	return l.Addr().String(), nil
}

// mapped binds an address of IPv4 to a socket of IPv6.
func mapped(address string) (string, error) {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_STREAM, 0)
	if err != nil {
		return "", err
	}
	at := netip.MustParseAddrPort(address)
	if err := unix.Bind(fd, &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}); err != nil {
		return "", err
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return "", err
	}
	is, ok := bound.(*unix.SockaddrInet6)
	if !ok {
		return "", fmt.Errorf("it is bound to a %T", bound)
	}
	return netip.AddrPortFrom(netip.AddrFrom16(is.Addr), uint16(is.Port)).String(), nil
}

func netlink() (string, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)
	if err != nil {
		return "", err
	}
	return "ok", unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK})
}

// bad passes what no program should pass.
func bad() (string, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return "", err
	}
	_, _, address := unix.Syscall(unix.SYS_BIND, uintptr(fd), 1, size4)
	_, _, descriptor := unix.Syscall(unix.SYS_BIND, ^uintptr(0), 0, size6)
	return fmt.Sprint(address, ", ", descriptor), nil
}

// median times a connection of TCP, or a bound socket of UDP, of which there are many: in nanoseconds.
func median(network, address string) (string, error) {
	all := make([]time.Duration, 2001)
	for i := range all {
		begin := time.Now()
		var c io.Closer
		var err error
		if network == "udp" {
			c, err = new(net.ListenConfig).ListenPacket(context.Background(), network, address)
		} else {
			c, err = new(net.Dialer).DialContext(context.Background(), network, address)
		}
		if err != nil {
			return "", err
		}
		all[i] = time.Since(begin)
		_ = c.Close()
	}
	slices.Sort(all)
	return strconv.FormatInt(all[len(all)/2].Nanoseconds(), 10), nil
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

// SPDX-License-Identifier: Apache-2.0

package localhost

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"
)

// testRoom is a room with the thread that entered it.
type testRoom struct {
	Addresses
	refused chan string
	starts  chan func()
	ended   chan struct{}
}

var rooms atomic.Uint32

// enter makes a room with addresses that no other test and no other run of the tests has.
func enter(tb testing.TB) *testRoom {
	tb.Helper()
	n := uint32(os.Getpid())*64 + rooms.Add(1)
	v4 := netip.AddrFrom4([4]byte{127, byte(n>>16)%127 + 1, byte(n >> 8), byte(n)})
	v6 := v4.As4()
	v6[1] += 127
	r := &testRoom{
		Addresses: Addresses{V4: v4, V6: netip.AddrFrom4(v6)},
		refused:   make(chan string, 100), starts: make(chan func()), ended: make(chan struct{}),
	}
	entered := make(chan error)
	go func() {
		defer close(r.ended)
		runtime.LockOSThread()
		room, err := Enter(r.Addresses, func(_ int, network string, to netip.AddrPort) {
			r.refused <- network + " " + to.String()
		})
		entered <- err
		if err != nil {
			return
		}
		defer room.Leave()
		for start := range r.starts {
			start()
		}
	}()
	if err := <-entered; err != nil {
		tb.Skip("this system has no rooms: ", err)
	}
	tb.Cleanup(r.leave)
	return r
}

func (r *testRoom) leave() {
	select {
	case <-r.ended:
	default:
		close(r.starts)
		<-r.ended
	}
}

// program is one that runs until the test ends.
type program struct {
	in  io.Writer
	out *bufio.Reader
}

// start starts a program, in the room unless that is nil.
func (r *testRoom) start(tb testing.TB, name string) program {
	tb.Helper()
	cmd := exec.CommandContext(tb.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), programEnv+"="+name)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	started := make(chan error, 1)
	if r == nil {
		started <- cmd.Start()
	} else {
		r.starts <- func() { started <- cmd.Start() }
	}
	if err := <-started; err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	return program{in, bufio.NewReader(out)}
}

// do lets a program do one step, and returns what it says.
func (p program) do(tb testing.TB, step string, args ...any) string {
	tb.Helper()
	if _, err := fmt.Fprintf(p.in, step+"\n", args...); err != nil {
		tb.Fatal(err)
	}
	line, err := p.out.ReadString('\n')
	if err != nil {
		tb.Fatal(err)
	}
	return strings.TrimSpace(line)
}

// want lets a program do one step, and compares.
func (p program) want(t *testing.T, want, step string, args ...any) {
	t.Helper()
	if got := p.do(t, step, args...); got != want {
		t.Errorf("%s: %s, want %s", fmt.Sprintf(step, args...), got, want)
	}
}

// machine serves a port of localhost, TCP and UDP, as other programs of the machine do.
func machine(tb testing.TB) (port string) {
	tb.Helper()
	p := (*testRoom)(nil).start(tb, "machine")
	for range 20 { // the port may be taken for UDP
		at := netip.MustParseAddrPort(p.do(tb, "listen tcp4 127.0.0.1:0"))
		port = strconv.Itoa(int(at.Port()))
		if !strings.HasPrefix(p.do(tb, "listen udp4 127.0.0.1:%s", port), "error") {
			return port
		}
	}
	tb.Fatal("no port is free")
	return ""
}

// dial connects from outside of all rooms.
func dial(t *testing.T, network string, ip netip.Addr, port string) string {
	t.Helper()
	c, err := new(net.Dialer).DialContext(t.Context(), network, net.JoinHostPort(ip.String(), port))
	if err != nil {
		return err.Error()
	}
	defer context.AfterFunc(t.Context(), func() { _ = c.Close() })()
	name, err := hear(c)
	if err != nil {
		return err.Error()
	}
	return name
}

func TestServersOfAllInterfacesGetAnAddressOfTheirOwn(t *testing.T) {
	port := machine(t)
	for _, c := range []struct{ name, step, want string }{
		{"IPv4", "listen tcp4 0.0.0.0:PORT", "V4:PORT"},
		{"localhost", "listen tcp4 127.0.0.1:PORT", "V4:PORT"},
		{"the machine's name", "listen tcp4 127.0.1.1:PORT", "V4:PORT"},
		{"both families", "listen tcp :PORT", "V4:PORT"},
		{"a shared port", "share tcp :PORT", "V4:PORT"},
		{"an address of IPv4 on a socket of IPv6", "mapped tcp [::ffff:0.0.0.0]:PORT", "[::ffff:V4]:PORT"},
		{"IPv6 alone", "listen tcp6 [::]:PORT", "V6:PORT"},
		{"localhost of IPv6", "listen tcp6 [::1]:PORT", "V6:PORT"},
		{"UDP", "listen udp4 0.0.0.0:PORT", "V4:PORT"},
		{"UDP of both families", "listen udp :PORT", "V4:PORT"},
		{"its own address", "listen tcp V4:PORT", "V4:PORT"},
		{"another address", "listen tcp 127.200.1.7:PORT", "127.200.1.7:PORT"},
		{"netlink", "netlink - -", "ok"},
		{"no address", "bad - -", "bad address, bad file descriptor"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := enter(t)
			put := strings.NewReplacer("PORT", port, "V4", r.V4.String(), "V6", r.V6.String()).Replace
			p := r.start(t, "room")
			p.want(t, put(c.want), "%s", put(c.step))
			network, _, _ := strings.Cut(strings.Fields(c.step)[1], " ")
			for _, ip := range []netip.Addr{r.V4, r.V6} {
				if put(c.want) != net.JoinHostPort(ip.String(), port) {
					continue
				}
				if got := dial(t, network[:3], ip, port); got != "room" {
					t.Errorf("%s answers from outside", got)
				}
			}
			if got := dial(t, "tcp", netip.MustParseAddr("127.0.0.1"), port); got != "machine" {
				t.Errorf("%s answers at the machine's localhost", got)
			}
		})
	}
}

// asyncio, Redis and nginx listen twice: once for each family.
func TestServerOfEachFamilyAlone(t *testing.T) {
	port := machine(t)
	r := enter(t)
	four, six, client := r.start(t, "four"), r.start(t, "six"), r.start(t, "client")
	four.want(t, r.V4.String()+":"+port, "listen tcp4 0.0.0.0:%s", port)
	client.want(t, "four", "dial tcp [::1]:%s", port) // more than a machine would do
	six.want(t, r.V6.String()+":"+port, "listen tcp6 [::]:%s", port)
	client.want(t, "four", "dial tcp 127.0.0.1:%s", port)
	client.want(t, "six", "dial tcp [::1]:%s", port)
}

func TestPortZeroIsLeftAlone(t *testing.T) {
	r := enter(t)
	p := r.start(t, "room")
	for _, c := range []struct{ step, prefix string }{
		{"listen tcp4 0.0.0.0:0", "0.0.0.0:"}, {"listen tcp4 127.0.0.1:0", "127.0.0.1:"}, {"listen udp :0", "[::]:"},
	} {
		at := p.do(t, "%s", c.step)
		if !strings.HasPrefix(at, c.prefix) {
			t.Errorf("%s: %s", c.step, at)
			continue
		}
		_, port, _ := net.SplitHostPort(at)
		p.want(t, "room", "dial %s 127.0.0.1:%s", strings.Fields(c.step)[1][:3], port)
	}
}

func TestRoomsShareNoPort(t *testing.T) {
	port := machine(t)
	var programs []program
	var all []*testRoom
	for i := range 3 {
		r := enter(t)
		p := r.start(t, fmt.Sprint("room", i))
		for _, network := range []string{"tcp", "udp"} { // SO_REUSEPORT would share the port without a word
			p.want(t, r.V4.String()+":"+port, "share %s :%s", network, port)
		}
		programs, all = append(programs, p), append(all, r)
	}
	for i, p := range programs {
		own := fmt.Sprint("room", i)
		for _, network := range []string{"tcp", "udp"} {
			p.want(t, own, "dial %s 127.0.0.1:%s", network, port)
			p.want(t, own, "dial %s [::1]:%s", network, port)
			p.want(t, own, "dial %s %s:%s", network, all[i].V4, port)
			p.want(t, fmt.Sprint("room", (i+1)%3), "dial %s %s:%s", network, all[(i+1)%3].V4, port)
		}
	}
}

func TestLocalhostIsTheMachinesForOtherPorts(t *testing.T) {
	port := machine(t)
	r := enter(t)
	p, client := r.start(t, "room"), r.start(t, "client")
	calls := []string{"dial tcp", "block tcp", "dial udp", "block udp"}
	for _, call := range calls {
		client.want(t, "machine", "%s 127.0.0.1:%s", call, port)
	}
	p.want(t, r.V4.String()+":"+port, "listen tcp :%s", port)
	for _, address := range []string{"127.0.0.1", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]"} {
		client.want(t, "room", "dial tcp %s:%s", address, port)
		client.want(t, "room", "block tcp %s:%s", address, port)
	}
	for _, call := range calls[2:] { // the port is bound for TCP only
		client.want(t, "machine", "%s 127.0.0.1:%s", call, port)
	}
	p.want(t, "closed", "close - -")
	for _, call := range calls[:2] {
		if got := client.do(t, "%s 127.0.0.1:%s", call, port); !strings.HasSuffix(got, "connection refused") {
			t.Errorf("%s: %s answers after the room's server ended", call, got)
		}
	}
}

func TestTakenPortIsReported(t *testing.T) {
	port := machine(t)
	r := enter(t)
	first, second := r.start(t, "first"), r.start(t, "second")
	first.want(t, r.V4.String()+":"+port, "listen tcp :%s", port)
	if got := second.do(t, "listen tcp4 0.0.0.0:%s", port); !strings.HasSuffix(got, "address already in use") {
		t.Errorf("the second one: %s", got)
	}
	if got, want := <-r.refused, "tcp "+r.V4.String()+":"+port; got != want {
		t.Errorf("refused %s, want %s", got, want)
	}
	second.want(t, r.V6.String()+":"+port, "listen tcp6 [::]:%s", port)
	if got := first.do(t, "listen tcp6 [::]:%s", port); !strings.HasSuffix(got, "address already in use") {
		t.Errorf("the second one of IPv6: %s", got)
	}
}

func TestProgramsOfARoomThatEndedCannotListen(t *testing.T) {
	r := enter(t)
	p := r.start(t, "left")
	r.leave()
	if got := p.do(t, "listen tcp4 127.0.0.1:0"); !strings.HasSuffix(got, "function not implemented") {
		t.Error(got)
	}
}

// A room that is busy with one program serves the others, and one that is killed in a call harms none.
func TestKilledProgramsLeaveTheRoomInOrder(t *testing.T) {
	port := machine(t)
	r := enter(t)
	for range 50 {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), programEnv+"=killed")
		cmd.Stdin = strings.NewReader(strings.Repeat("dial tcp 127.0.0.1:"+port+"\n", 10000))
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		started := make(chan error, 1)
		r.starts <- func() { started <- cmd.Start() }
		if err := <-started; err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	r.start(t, "room").want(t, r.V4.String()+":"+port, "listen tcp :%s", port)
}

func TestLeaderIsTheProcessOfAThread(t *testing.T) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	threads := []int{unix.Gettid()}
	done := make(chan struct{})
	go func() { // on another thread
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		threads = append(threads, unix.Gettid())
		done <- struct{}{}
		<-done
	}()
	<-done
	for _, thread := range threads {
		if got, err := leader(thread); got != os.Getpid() {
			t.Errorf("thread %d is of process %d, want %d: %v", thread, got, os.Getpid(), err)
		}
	}
	close(done)
}

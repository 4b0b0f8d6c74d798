// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/remotecommand"
)

// needRooms skips a test where Pods are not kept apart.
func needRooms(t *testing.T) {
	t.Helper()
	if _, apart := tryOut(); apart != nil {
		t.Skip("this system does not keep Pods apart: ", apart)
	}
}

// everywhere is a Pod that serves port 8080 of all interfaces, and asks itself at localhost.
const everywhere = `
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    args: ["everywhere:8080"]
    readinessProbe: {httpGet: {path: /health, port: 8080}}
  - name: side
    args: ["wait:"]
    readinessProbe: {timeoutSeconds: 30, exec: {command: [` + "PROGRAM" + `, "greet:8080"]}}
`

func TestPodsThatServeAllInterfacesMayUseTheSamePort(t *testing.T) {
	needRooms(t)
	c := startCluster(t)
	spec := bytes.ReplaceAll([]byte(everywhere), []byte("PROGRAM"), []byte(os.Args[0]))
	for _, name := range []string{"first", "second"} {
		c.create(t, "metadata: {name: "+name+"}\nspec:"+string(spec))
	}
	for _, name := range []string{"first", "second"} {
		pod := c.pod(t, name, "ready: its probe in the other container reaches localhost", isReady)
		if got := nameAt(t, pod.Status.PodIP+":8080"); got != name {
			t.Errorf("%q answers at the address of %s", got, name)
		}
		var out bytes.Buffer
		err := c.executor(t, "/exec/default/"+name+"/side", remotecommand.StreamOptions{Stdout: &out}, os.Args[0], "greet:8080")
		if err != nil || out.String() != name+"\n" {
			t.Errorf("kubectl exec: %q answers at the localhost of %s: %v", out.String(), name, err)
		}
	}
}

// nameAt asks who serves an address.
func nameAt(t *testing.T, address string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/name", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		return err.Error()
	}
	defer func() { _ = answer.Body.Close() }()
	name, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.TrimSpace(name))
}

// failing is a container that cannot listen on a port, as its status shows it.
const failing = `
spec:
  restartPolicy: Never
  containers:
  - name: main
    args: ["everywhere:PORT"]
    terminationMessagePolicy: FallbackToLogsOnError
`

// lastLine waits until a Pod has failed, and returns the last line of its termination message.
func (c *cluster) lastLine(t *testing.T, name string) string {
	t.Helper()
	pod := c.pod(t, name, "failed", inPhase(corev1.PodFailed))
	message := pod.Status.ContainerStatuses[0].State.Terminated.Message
	return message[strings.LastIndexByte(message, '\n')+1:]
}

func TestPortOfAProgramOfTheMachineIsExplained(t *testing.T) {
	needRooms(t)
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	c := startCluster(t)
	c.create(t, strings.ReplaceAll(failing, "PORT", port))
	want := fmt.Sprintf("port %s is taken by %s (process %d), which listens on all interfaces of this machine",
		port, filepath.Base(os.Args[0]), os.Getpid())
	if got := c.lastLine(t, "web"); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	c.event(t, "PortTaken", "container main: "+want)
}

func TestPortOfAnotherContainerIsExplained(t *testing.T) {
	needRooms(t)
	c := startCluster(t)
	c.create(t, `
spec:
  restartPolicy: Never
  initContainers:
  - {name: holder, restartPolicy: Always, args: ["everywhere:8080"], startupProbe: {tcpSocket: {port: 8080}}}
  containers:
  - {name: main, args: ["everywhere:8080"]}
`)
	want := "port 8080 is taken by container holder of this Pod"
	if got := c.lastLine(t, "web"); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestWhereKernelsDoNotKeepPodsApartTheOtherPodIsNamed(t *testing.T) {
	c := newCluster(t)
	c.apart = errors.New("seccomp: not here")
	c.startNode(t)
	port := freePort(t)
	c.create(t, `
metadata: {name: first}
spec:
  containers:
  - {name: main, args: ["everywhere:`+port+`"], readinessProbe: {tcpSocket: {port: `+port+`}}}
`)
	c.pod(t, "first", "ready", isReady)
	c.create(t, strings.ReplaceAll(failing, "PORT", port))
	want := "a port is in use, and Pods share the ports of all interfaces and of localhost on this machine (seccomp: not here): it has " +
		port + " by Pod default/first. Let the program listen on $(POD_IP), or on another port"
	if got := c.lastLine(t, "web"); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestPodOfTheHostNetworkListensOnAllInterfaces(t *testing.T) {
	c := startCluster(t)
	port := freePort(t)
	c.create(t, `
spec:
  hostNetwork: true
  containers:
  - {name: main, args: ["everywhere:`+port+`"], readinessProbe: {tcpSocket: {port: `+port+`}}}
`)
	c.pod(t, "web", "ready", isReady)
	found := holders("tcp", func(a netip.AddrPort) bool { return strconv.Itoa(int(a.Port())) == port })
	if len(found) != 1 || !found[0].at.Addr().IsUnspecified() {
		t.Errorf("it listens at %v", found)
	}
}

// freePort returns a port that is likely to be free.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func TestAddressOfReadsWhatTheKernelWrites(t *testing.T) {
	for in, want := range map[string]string{
		"0100007F:1F90":                         "127.0.0.1:8080",
		"00000000000000000000000000000000:0050": "[::]:80",
		"00000000000000000000000001000000:0050": "[::1]:80",
		"0000000000000000FFFF00000100007F:0050": "127.0.0.1:80",
	} {
		if at, err := addressOf(in); err != nil || at.String() != want {
			t.Errorf("%s is %s, want %s: %v", in, at, want, err)
		}
	}
	for _, in := range []string{"", "local_address", "01:1", "0100007F:", "0100007F:10000"} {
		if at, err := addressOf(in); err == nil {
			t.Errorf("%q is %s", in, at)
		}
	}
}

// What a room adds to a Pod: the start and the end of its thread with one program, without and with a room.
func BenchmarkThreadWithAProgram(b *testing.B) {
	for _, apart := range []error{errors.New("without"), nil} {
		b.Run(fmt.Sprintf("room=%v", apart == nil), func(b *testing.B) {
			w := newWorker(&node{traced: true, apart: apart, Config: Config{Log: slog.New(slog.DiscardHandler)}}, &corev1.Pod{})
			var all []time.Duration
			for b.Loop() {
				begin := time.Now()
				f := newForker(true, w.enter)
				ctx, stop := context.WithCancel(b.Context())
				go f.run(ctx)
				cmd := command{exec.CommandContext(ctx, "/bin/true"), limits{data: 1 << 30}}
				if err := errors.Join(f.start(cmd), cmd.Wait()); err != nil {
					b.Fatal(err)
				}
				stop()
				<-f.ended
				all = append(all, time.Since(begin))
			}
			slices.Sort(all)
			b.ReportMetric(float64(all[len(all)/2].Nanoseconds()), "median-ns/op")
		})
	}
}

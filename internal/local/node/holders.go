// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/prometheus/procfs"
	"k8s.io/apimachinery/pkg/types"
)

// holder is a process that listens on a port. Only root sees those of other users: they have process 0.
type holder struct {
	at      netip.AddrPort
	process int
}

// holders lists the processes that listen on addresses of a network, tcp or udp.
func holders(network string, wanted func(netip.AddrPort) bool) (found []holder) {
	sockets := map[string]netip.AddrPort{}
	for name, at := range listening(network) {
		if wanted(at) {
			sockets[name] = at
		}
	}
	if len(sockets) == 0 {
		return nil
	}
	processes, _ := procfs.AllProcs()
	for _, p := range processes {
		open, _ := p.FileDescriptorTargets()
		for _, name := range open {
			if at, ok := sockets[name]; ok && !slices.Contains(found, holder{at, p.PID}) {
				found = append(found, holder{at, p.PID})
			}
		}
	}
	for _, at := range sockets {
		if !slices.ContainsFunc(found, func(h holder) bool { return h.at == at }) {
			found = append(found, holder{at: at})
		}
	}
	return found
}

// listening returns the addresses of all listening sockets, by the name that their descriptors have.
func listening(network string) map[string]netip.AddrPort {
	const listens = 10 // the state of a TCP socket
	found := map[string]netip.AddrPort{}
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return found
	}
	add := func(ip []byte, port, state, inode uint64) {
		if a, ok := netip.AddrFromSlice(ip); ok && (network == "udp" || state == listens) {
			found[fmt.Sprintf("socket:[%d]", inode)] = netip.AddrPortFrom(a.Unmap(), uint16(port))
		}
	}
	if network == "udp" {
		for _, read := range []func() (procfs.NetUDP, error){fs.NetUDP, fs.NetUDP6} {
			lines, _ := read()
			for _, l := range lines {
				add(l.LocalAddr, l.LocalPort, l.St, l.Inode)
			}
		}
		return found
	}
	for _, read := range []func() (procfs.NetTCP, error){fs.NetTCP, fs.NetTCP6} {
		lines, _ := read()
		for _, l := range lines {
			add(l.LocalAddr, l.LocalPort, l.St, l.Inode)
		}
	}
	return found
}

// environ is the environment a process was started with; it is empty for those of other users.
func environ(pid int) []byte {
	env, _ := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return env
}

// container returns the Pod and the container of a process, empty for one of no Pod.
func (n *node) container(process int) (pod types.UID, container string) {
	env := map[string]string{}
	for e := range strings.SplitSeq(string(environ(process)), "\x00") {
		if name, value, ok := strings.Cut(e, "="); ok {
			env[name] = value
		}
	}
	if env["SERIN_NODE_DIR"] != n.Dir {
		return "", ""
	}
	return types.UID(env["SERIN_POD_UID"]), env["SERIN_CONTAINER"]
}

// podName returns the name of a Pod with its namespace.
func (n *node) podName(uid types.UID) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if w := n.workers[uid]; w != nil {
		pod := w.latest.Load()
		return pod.Namespace + "/" + pod.Name
	}
	return string(uid)
}

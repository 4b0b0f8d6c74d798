// SPDX-License-Identifier: Apache-2.0

package node

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
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
	found := map[string]netip.AddrPort{}
	for _, family := range []string{"", "6"} {
		for l := range strings.Lines(text("/proc/net/" + network + family)) {
			f := strings.Fields(l) // number, local and remote address, state, and six more to the inode
			if len(f) < 10 || network == "tcp" && f[3] != "0A" {
				continue
			}
			if at, err := addressOf(f[1]); err == nil {
				found["socket:["+f[9]+"]"] = at
			}
		}
	}
	return found
}

// addressOf reads an address of /proc/net: 0100007F:1F90 is 127.0.0.1:8080 where the lowest byte is first.
func addressOf(s string) (at netip.AddrPort, err error) {
	host, port, _ := strings.Cut(s, ":")
	ip, err := hex.DecodeString(host)
	if err != nil {
		return at, err
	}
	number, err := strconv.ParseUint(port, 16, 16)
	if err != nil {
		return at, err
	}
	if len(ip)%4 != 0 {
		return at, fmt.Errorf("an address of %d bytes", len(ip))
	}
	for word := range slices.Chunk(ip, 4) {
		binary.BigEndian.PutUint32(word, binary.NativeEndian.Uint32(word))
	}
	a, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(a.Unmap(), uint16(number)), nil
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

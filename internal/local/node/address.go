// SPDX-License-Identifier: Apache-2.0

package node

import (
	"hash/fnv"
	"net/netip"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// hostAddress is the node's own address, and that of Pods on the host network.
const hostAddress = "127.0.0.1"

// addresses gives every Pod a loopback address of its own: 127.x.y.z with x from 1 to 127 and z from 1
// to 254, so never 127.0.0.x. 127.x+127.y.z belongs to the Pod too, see second. The zero value is ready.
type addresses struct {
	mu    sync.Mutex
	owner map[netip.Addr]types.UID
}

// take returns the address of a Pod. It is the wanted one (that in the Pod's status) if that is in
// the range and free. Otherwise it is derived from the UID, so that another node on the same machine
// hardly ever takes the same one.
func (a *addresses) take(uid types.UID, wanted string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.owner == nil {
		a.owner = map[netip.Addr]types.UID{}
	}
	if w, err := netip.ParseAddr(wanted); err == nil && ours(w) && a.claim(w, uid) {
		return w.String()
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte(uid))
	for n := h.Sum32(); ; n++ {
		if addr := numbered(n); a.claim(addr, uid) {
			return addr.String()
		}
	}
}

// release frees the address of a Pod.
func (a *addresses) release(uid types.UID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for addr, owner := range a.owner {
		if owner == uid {
			delete(a.owner, addr)
		}
	}
}

func (a *addresses) claim(addr netip.Addr, uid types.UID) bool {
	if owner, taken := a.owner[addr]; taken && owner != uid {
		return false
	}
	a.owner[addr] = uid
	return true
}

// numbered maps a number to an address, modulo 127*256*254.
func numbered(n uint32) netip.Addr {
	return netip.AddrFrom4([4]byte{127, byte(n/(254*256)%127 + 1), byte(n / 254 % 256), byte(n%254 + 1)})
}

func ours(a netip.Addr) bool {
	if !a.Is4() {
		return false
	}
	b := a.As4()
	return b[0] == 127 && b[1] >= 1 && b[1] <= 127 && b[3] >= 1 && b[3] <= 254
}

// second returns a Pod's second address, for its sockets of IPv6 alone.
func second(a netip.Addr) netip.Addr {
	b := a.As4()
	b[1] += 127
	return netip.AddrFrom4(b)
}

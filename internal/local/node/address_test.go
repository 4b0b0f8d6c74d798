// SPDX-License-Identifier: Apache-2.0

package node

import (
	"fmt"
	"net/netip"
	"testing"

	"k8s.io/apimachinery/pkg/types"
)

func TestAddressesAreLoopbackUniqueAndStable(t *testing.T) {
	var a addresses
	seen := map[string]types.UID{}
	for i := range 5000 {
		uid := types.UID(fmt.Sprint("pod-", i))
		ip := a.take(uid, "")
		if other, dup := seen[ip]; dup {
			t.Fatalf("%s and %s share %s", uid, other, ip)
		}
		seen[ip] = uid
		if !ours(netip.MustParseAddr(ip)) {
			t.Fatalf("%s is outside of the range", ip)
		}
		if s := second(netip.MustParseAddr(ip)); ours(s) || !s.IsLoopback() {
			t.Fatalf("the second address of %s is %s, which may be another Pod's first", ip, s)
		}
		if again := a.take(uid, ip); again != ip {
			t.Fatalf("%s had %s and got %s", uid, ip, again)
		}
	}
}

func TestAddressOfAnEarlierLifeIsKeptWhileFree(t *testing.T) {
	var a addresses
	if got := a.take("a", "127.9.8.7"); got != "127.9.8.7" {
		t.Errorf("a free address: got %s", got)
	}
	if got := a.take("b", "127.9.8.7"); got == "127.9.8.7" {
		t.Errorf("b got a's address")
	}
	for _, foreign := range []string{"127.0.0.5", "10.0.0.1", "127.3.3.0", "::1", "nonsense", ""} {
		if got := a.take(types.UID("f"+foreign), foreign); got == foreign {
			t.Errorf("took the foreign address %q", foreign)
		}
	}
	a.release("a")
	if got := a.take("c", "127.9.8.7"); got != "127.9.8.7" {
		t.Errorf("a released address: got %s", got)
	}
}

// SPDX-License-Identifier: Apache-2.0

package localhost

import (
	"encoding/binary"
	"net/netip"
	"testing"
)

var own = Addresses{V4: netip.MustParseAddr("127.9.8.7"), V6: netip.MustParseAddr("127.136.8.7")}

func TestWhereSocketsAreBound(t *testing.T) {
	for _, c := range []struct {
		name, at string
		only6    bool
		want     string
	}{
		{"all interfaces", "0.0.0.0:80", false, "127.9.8.7:80"},
		{"localhost", "127.0.0.1:80", false, "127.9.8.7:80"},
		{"the machine's name", "127.0.1.1:80", false, "127.9.8.7:80"},
		{"both families", "[::]:80", false, "127.9.8.7:80"},
		{"all interfaces, as an address of IPv6", "[::ffff:0.0.0.0]:80", false, "127.9.8.7:80"},
		{"localhost, as an address of IPv6", "[::ffff:127.0.0.1]:80", false, "127.9.8.7:80"},
		{"IPv6 alone", "[::]:80", true, "127.136.8.7:80"},
		{"localhost of IPv6", "[::1]:80", false, "127.136.8.7:80"},
		{"localhost of IPv6 alone", "[::1]:80", true, "127.136.8.7:80"},
		{"any port", "0.0.0.0:0", false, "0.0.0.0:0"},
		{"its own address", "127.9.8.7:80", false, "127.9.8.7:80"},
		{"that of another room", "127.9.8.8:80", false, "127.9.8.8:80"},
		{"an interface", "10.0.0.5:80", false, "10.0.0.5:80"},
		{"an interface of IPv6", "[2001:db8::1]:80", true, "[2001:db8::1]:80"},
	} {
		if got := own.bind(netip.MustParseAddrPort(c.at), c.only6).String(); got != c.want {
			t.Errorf("%s: %s is bound to %s, want %s", c.name, c.at, got, c.want)
		}
	}
}

func TestWhereSocketsAreConnected(t *testing.T) {
	for _, c := range []struct {
		name, to string
		bound    []string
		want     string
	}{
		{"a port of the room", "127.0.0.1:80", []string{"127.9.8.7:80"}, "127.9.8.7:80"},
		{"of both families", "[::1]:80", []string{"127.9.8.7:80"}, "127.9.8.7:80"},
		{"of IPv6", "[::1]:80", []string{"127.9.8.7:80", "127.136.8.7:80"}, "127.136.8.7:80"},
		{"of IPv4 beside one of IPv6", "127.0.0.1:80", []string{"127.9.8.7:80", "127.136.8.7:80"}, "127.9.8.7:80"},
		{"of IPv6 only, so that none answers", "127.0.0.1:80", []string{"127.136.8.7:80"}, "127.9.8.7:80"},
		{"all interfaces", "0.0.0.0:80", []string{"127.9.8.7:80"}, "127.9.8.7:80"},
		{"an address of IPv4 in IPv6", "[::ffff:127.0.0.1]:80", []string{"127.9.8.7:80", "127.136.8.7:80"}, "127.9.8.7:80"},
		{"a port of the machine", "127.0.0.1:81", []string{"127.9.8.7:80"}, "127.0.0.1:81"},
		{"a port that the room bound elsewhere", "127.0.0.1:80", []string{"10.0.0.5:80"}, "127.0.0.1:80"},
		{"another room", "127.9.8.8:80", []string{"127.9.8.7:80"}, "127.9.8.8:80"},
	} {
		bound := ports{}
		for _, a := range c.bound {
			bound.note("tcp", netip.MustParseAddrPort(a), own)
		}
		to := netip.MustParseAddrPort(c.to)
		if got := own.connect(to, bound[port{"tcp", to.Port()}]).String(); got != c.want {
			t.Errorf("%s: %s is connected to %s, want %s", c.name, c.to, got, c.want)
		}
	}
}

func TestShortAddressesAreLeftAlone(t *testing.T) {
	four, six := encode(netip.MustParseAddrPort("1.2.3.4:80"), false), encode(netip.MustParseAddrPort("[::1]:80"), true)
	for _, raw := range [][]byte{nil, four[:15], six[:23], {1: 99, 27: 0}} {
		if a, ok := parse(raw); ok {
			t.Errorf("%v was read as %s", raw, a)
		}
	}
	if a, ok := parse(six[:least6]); !ok || a.String() != "[::1]:80" {
		t.Errorf("an address without its scope: %s", a)
	}
}

// FuzzSocketAddress passes what a program may pass as an address: any bytes.
func FuzzSocketAddress(f *testing.F) {
	f.Add(encode(netip.MustParseAddrPort("127.0.0.1:8080"), false))
	f.Add(encode(netip.MustParseAddrPort("127.0.0.1:8080"), true))
	f.Add(encode(netip.MustParseAddrPort("[::]:0"), true))
	f.Add([]byte("\x01\x00/run/a.socket"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, ok := parse(raw)
		if !ok {
			return
		}
		family := binary.NativeEndian.Uint16(raw)
		if again, ok := parse(encode(a, family == inet6)); !ok || again != a {
			t.Fatalf("%s became %s", a, again)
		}
		for _, only6 := range []bool{false, true} {
			to := own.bind(a, only6)
			if to.Port() != a.Port() || to != a && !own.has(to.Addr()) || own.bind(to, only6) != to {
				t.Fatalf("%s is bound to %s", a, to)
			}
		}
	})
}

// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// A guard is an http.RoundTripper against server-side request forgery: a server
// on a public address cannot redirect this program to a private one, such as a
// metadata service, the Kubernetes API or a neighbour. The user's own URL may be
// anywhere. After an answer from a public address, redirects lead to public
// addresses only. The guard checks the address that is dialled, so that a name
// cannot resolve differently later (DNS rebinding), and keeps the connections of
// the two kinds apart.
type guard struct {
	named, redirected *http.Transport
	public            func(netip.Addr) bool
}

var errPrivate = errors.New("not a public address")

func newGuard(t *http.Transport, public func(netip.Addr) bool) *guard {
	g := &guard{named: t, redirected: t.Clone(), public: public}
	d := dialer()
	d.Control = func(_, address string, _ syscall.RawConn) error {
		if at, err := netip.ParseAddrPort(address); err != nil || !public(at.Addr()) {
			return errPrivate
		}
		return nil
	}
	g.redirected.DialContext = d.DialContext
	return g
}

func dialer() *net.Dialer { return &net.Dialer{Timeout: 5 * time.Second} }

// fromPublic marks a request that a public address answered, or that follows from one.
type fromPublic struct{}

// RoundTrip sends a request. It marks the request of an answer from a public
// address, which http.Client passes on with the next request of the chain.
func (g *guard) RoundTrip(req *http.Request) (*http.Response, error) {
	restricted := req.Response != nil && req.Response.Request.Context().Value(fromPublic{}) != nil
	transport, proxied := g.named, false
	if g.named.Proxy != nil {
		proxy, err := g.named.Proxy(req)
		if err != nil {
			return nil, err
		}
		proxied = proxy != nil
	}
	switch {
	case restricted && proxied && !g.mayBePublic(req.URL.Hostname()):
		return nil, redirectError(req)
	case restricted && !proxied: // a proxy dials by itself
		transport = g.redirected
	}
	var remote atomic.Pointer[net.Addr]
	trace := &httptrace.ClientTrace{GotConn: func(info httptrace.GotConnInfo) {
		addr := info.Conn.RemoteAddr()
		remote.Store(&addr)
	}}
	resp, err := transport.RoundTrip(req.WithContext(httptrace.WithClientTrace(req.Context(), trace)))
	if errors.Is(err, errPrivate) {
		return nil, redirectError(req)
	}
	if err != nil {
		return nil, err
	}
	public := restricted || proxied && g.mayBePublic(req.URL.Hostname())
	if addr := remote.Load(); addr != nil && !proxied {
		at, err := netip.ParseAddrPort((*addr).String())
		public = public || err == nil && g.public(at.Addr())
	}
	if public {
		resp.Request = req.WithContext(context.WithValue(req.Context(), fromPublic{}, true))
	}
	return resp, nil
}

// CloseIdleConnections closes those of both kinds, for http.Client.
func (g *guard) CloseIdleConnections() {
	g.named.CloseIdleConnections()
	g.redirected.CloseIdleConnections()
}

// mayBePublic reports whether a host may be public, judged by its name alone: a
// proxy resolves it.
func (g *guard) mayBePublic(host string) bool {
	if at, err := netip.ParseAddr(host); err == nil {
		return g.public(at)
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	return strings.Contains(host, ".") && !strings.HasSuffix(host, ".localhost") &&
		!strings.HasSuffix(host, ".internal") && !strings.HasSuffix(host, ".svc") && !strings.HasSuffix(host, ".local")
}

func redirectError(req *http.Request) error {
	return permanent(displayed(req.Response.Request.URL),
		"the server redirects to "+req.URL.Host+", which is not a public address: only a storageUri may name one itself")
}

// notPublic are special-purpose networks (RFC 6890) that net/netip has no method
// for: this network, shared addresses (Alibaba's metadata service is at
// 100.100.100.200), protocol assignments (Oracle's is at 192.0.0.192), benchmarks,
// reserved ones, and old IPv6 forms that hold an IPv4 address.
var notPublic = func() (nets []netip.Prefix) {
	for s := range strings.FieldsSeq("0.0.0.0/8 100.64.0.0/10 192.0.0.0/24 198.18.0.0/15 240.0.0.0/4 " +
		"::/96 64:ff9b:1::/48 2001::/32 2002::/16 fec0::/10") {
		nets = append(nets, netip.MustParsePrefix(s))
	}
	return nets
}()

var nat64 = netip.MustParsePrefix("64:ff9b::/96")

// isPublic reports whether an address is globally reachable.
func isPublic(at netip.Addr) bool {
	at = at.Unmap().WithZone("")
	if nat64.Contains(at) { // NAT64: the last four bytes are the IPv4 address
		b := at.As16()
		at = netip.AddrFrom4([4]byte(b[12:]))
	}
	if !at.IsGlobalUnicast() || at.IsPrivate() {
		return false
	}
	for _, n := range notPublic {
		if n.Contains(at) {
			return false
		}
	}
	return true
}

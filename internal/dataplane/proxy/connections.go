// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"cmp"
	"errors"
	"log/slog"
	"math"
	"net/netip"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/serin-dev/serin/internal/setting"
)

const (
	// defaultMax bounds the default of Connections.Most, because connections need
	// memory, too.
	defaultMax = 32 << 10
	// reservedDescriptors is how many descriptors are neither for clients nor for
	// targets.
	reservedDescriptors = 32
	// searchInterval is how long closing idle connections pauses after a search
	// found none.
	searchInterval = 10 * time.Millisecond
	// logInterval is how often the log reports that the limit is reached.
	logInterval = time.Minute
)

// Connections are the limits on connections of clients and to targets. Each request
// needs one of both.
type Connections struct {
	Most      int // of all clients; zero: half of the descriptors, at most 32,768
	PerClient int // of one address, or of one /64 of IPv6; zero: nine tenths of Most
	Targets   int // to all targets, including idle ones; zero: Most, or the rest of the descriptors
}

// AddFlags adds a flag for each limit on clients.
func (c *Connections) AddFlags(add func(v *setting.Value, name, usage string)) {
	add(setting.Number(&c.Most, 0, 0, math.MaxInt32), "max-connections", "client connections at once, after which idle ones are closed for new ones; 0: half of the files that may be open, at most 32768")
	add(setting.Number(&c.PerClient, 0, 0, math.MaxInt32), "max-connections-per-client", "how many of these one address may have; 0: nine tenths")
}

// Descriptors returns how many files and connections this process may have open.
func Descriptors() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024 // the usual default of POSIX systems
	}
	return int(min(limit.Cur, 1<<30)) // RLIM_INFINITY is larger
}

// withDefaults replaces the zero fields.
func (c Connections) withDefaults(descriptors int) Connections {
	c.Most = cmp.Or(c.Most, max(1, min(descriptors/2, defaultMax)))
	c.PerClient = min(cmp.Or(c.PerClient, max(1, c.Most-c.Most/10)), c.Most)
	c.Targets = cmp.Or(c.Targets, max(1, min(c.Most, descriptors-c.Most-reservedDescriptors)))
	return c
}

// ConnectionCounts counts client connections.
type ConnectionCounts struct {
	Open, Limit int
	Closed      int // while idle, in favour of new ones
	Refused     int // because none could be closed
}

// connections is the set of all client connections, including HTTP/2 and upgraded
// ones. At the limit, a new connection replaces an idle one, which its client must
// expect to be closed at any time: the one that is idle for the longest time, of the
// client with the most connections. If none is idle, it replaces one whose request
// has not arrived completely, of a client that has more connections than the new
// one's. If there is none either, the new connection is closed: a request is never
// cut off.
type connections struct {
	Connections
	log *slog.Logger

	mu           sync.Mutex
	clients      map[netip.Prefix]*client
	counts       ConnectionCounts
	searchAfter  time.Time        // no search before
	logged       time.Time        // the last log message
	loggedCounts ConnectionCounts // the counts at that time
}

// client is the connections of one address.
type client struct {
	conns       map[*conn]struct{}
	searchAfter time.Time // no search among conns before
}

// clientOf returns the addresses that count as one client.
func clientOf(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap()
	if addr.Is6() {
		p, _ := addr.WithZone("").Prefix(64) // one client has a whole /64
		return p
	}
	return netip.PrefixFrom(addr, addr.BitLen())
}

// add adds a connection, and reports whether the limits allow it.
func (k *connections) add(c *conn, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	own := k.clients[c.client]
	if own == nil {
		own = &client{conns: map[*conn]struct{}{}}
		k.clients[c.client] = own
	}
	own.conns[c] = struct{}{}
	k.counts.Open++
	var fits bool
	switch {
	case len(own.conns) > k.PerClient:
		fits = k.closeOf(own, now)
	case k.counts.Open > k.Most:
		fits = k.closeAny(own, now)
	default:
		return true
	}
	if !fits {
		k.counts.Refused++
		k.removeLocked(c)
	}
	k.logLimit(now)
	return fits
}

// remove removes a closed connection.
func (k *connections) remove(c *conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.removeLocked(c)
}

func (k *connections) removeLocked(c *conn) {
	own := k.clients[c.client]
	if own == nil {
		return // it was evicted
	}
	if _, is := own.conns[c]; !is {
		return
	}
	delete(own.conns, c)
	k.counts.Open--
	if len(own.conns) == 0 {
		delete(k.clients, c.client)
	}
}

// each calls f for every connection.
func (k *connections) each(f func(*conn)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, cl := range k.clients {
		for c := range cl.conns {
			f(c)
		}
	}
}

func (k *connections) count() ConnectionCounts {
	k.mu.Lock()
	defer k.mu.Unlock()
	counts := k.counts
	counts.Limit = k.Most
	return counts
}

// freeDescriptor closes an idle connection because the process has no descriptor
// left, and reports whether it found one.
func (k *connections) freeDescriptor(now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer k.logLimit(now)
	return k.closeAny(nil, now)
}

// candidate is a connection that may be closed.
type candidate struct {
	*conn
	of    int // the number of its client's connections
	state state
	since time.Time
}

// closeOf closes idle connections of a client in favour of its new one.
func (k *connections) closeOf(own *client, now time.Time) bool {
	if now.Before(own.searchAfter) {
		return false
	}
	all := own.candidates(nil, idle)
	if k.close(all, 1+len(all)>>10) { // several, as in closeAny
		return true
	}
	own.searchAfter = now.Add(searchInterval)
	return false
}

// closeAny closes connections in favour of a new one of the client own. It closes
// several if there are so many that the search takes long.
func (k *connections) closeAny(own *client, now time.Time) bool {
	if now.Before(k.searchAfter) {
		return false
	}
	var all []candidate
	for _, cl := range k.clients {
		least := idle
		if own != nil && len(cl.conns) > len(own.conns) {
			least = reading
		}
		all = cl.candidates(all, least)
	}
	if k.close(all, 1+len(all)>>10) {
		return true
	}
	k.searchAfter = now.Add(searchInterval)
	return false
}

// candidates appends the client's connections whose state is least or larger.
func (cl *client) candidates(to []candidate, least state) []candidate {
	for c := range cl.conns {
		if state, since := c.idleState(); state >= least {
			to = append(to, candidate{c, len(cl.conns), state, since})
		}
	}
	return to
}

// close closes the first n candidates that are still without a request, and reports
// whether there was one.
func (k *connections) close(all []candidate, n int) bool {
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(-cmp.Compare(a.state, b.state), -cmp.Compare(a.of, b.of), a.since.Compare(b.since))
	})
	closed := 0
	for _, c := range all {
		if closed < n && c.evict() {
			closed++
			k.removeLocked(c.conn)
		}
	}
	k.counts.Closed += closed
	return closed > 0
}

// logLimit logs the effect of the limit, at most once every logInterval.
func (k *connections) logLimit(now time.Time) {
	if now.Sub(k.logged) < logInterval {
		return
	}
	k.log.Warn("client connections are at their limit: idle ones are closed for new ones, and new ones when all have requests",
		"open", k.counts.Open, "limit", k.Most, "perClient", k.PerClient,
		"closed", k.counts.Closed-k.loggedCounts.Closed, "refused", k.counts.Refused-k.loggedCounts.Refused)
	k.logged, k.loggedCounts = now, k.counts
}

// outOfDescriptors reports whether err means that no descriptor is left.
func outOfDescriptors(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

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
	// mostConnections bounds the default: more have to be asked for, because
	// they need memory, too.
	mostConnections = 32 << 10
	// others is how many descriptors a program keeps for what is neither a
	// client's nor a target's.
	others = 32
	// searchAgain is how long after a search in vain for a connection to close
	// there is none.
	searchAgain = 10 * time.Millisecond
	// sayAgain is how often the log says that the limit is reached.
	sayAgain = time.Minute
)

// Connections bound those of clients, and those to targets: each request needs
// one of either.
type Connections struct {
	Most      int // of all clients; zero: half of the descriptors, at most 32,768
	PerClient int // of one address, or of one /64 of IPv6; zero: nine tenths of Most
	Targets   int // to all targets, those kept for reuse included; zero: as Most, or what that leaves
}

// AddFlags adds a flag for each of those of clients.
func (c *Connections) AddFlags(add func(v *setting.Value, name, usage string)) {
	add(setting.Number(&c.Most, 0, 0, math.MaxInt32), "max-connections", "client connections at once, after which idle ones are closed for new ones; 0: half of the files that may be open, at most 32768")
	add(setting.Number(&c.PerClient, 0, 0, math.MaxInt32), "max-connections-per-client", "how many of these one address may have; 0: nine tenths")
}

// Descriptors returns how many files and connections this process may have open.
func Descriptors() int {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		return 1024 // what POSIX systems usually begin with
	}
	return int(min(limit.Cur, 1<<30)) // RLIM_INFINITY is larger
}

// withDefaults fills in what is zero.
func (c Connections) withDefaults(descriptors int) Connections {
	c.Most = cmp.Or(c.Most, max(1, min(descriptors/2, mostConnections)))
	c.PerClient = min(cmp.Or(c.PerClient, max(1, c.Most-c.Most/10)), c.Most)
	c.Targets = cmp.Or(c.Targets, max(1, min(c.Most, descriptors-c.Most-others)))
	return c
}

// ConnectionCounts are what became of client connections.
type ConnectionCounts struct {
	Open, Limit int
	Closed      int // idle, and closed for others
	Refused     int // as there was none to close
}

// connections are those of all clients, HTTP/2 and upgraded ones included. When
// there are as many as there may be, a new one takes the place of an idle one,
// which its client must expect to be closed at any time. That is of the client
// with the most, the one that is idle for the longest time. If all have
// requests, one whose request did not arrive yet goes, but not for a client that
// has as many itself. A request that did is never cut off: then the new
// connection is closed.
type connections struct {
	Connections
	log *slog.Logger

	mu       sync.Mutex
	clients  map[netip.Prefix]*client
	counts   ConnectionCounts
	hopeless time.Time // until then there is none to close
	said     time.Time
	unsaid   ConnectionCounts // as of then
}

// client is an address with connections.
type client struct {
	conns    map[*conn]struct{}
	hopeless time.Time // of its own
}

// clientOf returns what counts as one client.
func clientOf(addr netip.Addr) netip.Prefix {
	addr = addr.Unmap()
	if addr.Is6() {
		p, _ := addr.WithZone("").Prefix(64) // whoever has one address has all of these
		return p
	}
	return netip.PrefixFrom(addr, addr.BitLen())
}

// enter takes a new connection in, or reports that there is no place for it.
func (k *connections) enter(c *conn, now time.Time) bool {
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
		k.remove(c)
	}
	k.say(now)
	return fits
}

// leave is called for every connection that entered, when it is closed.
func (k *connections) leave(c *conn) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.remove(c)
}

func (k *connections) remove(c *conn) {
	own := k.clients[c.client]
	if own == nil {
		return // it had to go
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

// relieve closes an idle connection because the process has no descriptor left,
// whatever the limit.
func (k *connections) relieve(now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	defer k.say(now)
	return k.closeAny(nil, now)
}

// candidate is a connection that may be closed.
type candidate struct {
	*conn
	of    int // how many its client has
	state state
	since time.Time
}

// closeOf closes an idle connection of a client for another of its own.
func (k *connections) closeOf(own *client, now time.Time) bool {
	if now.Before(own.hopeless) {
		return false
	}
	all := own.candidates(nil, idle)
	if k.close(all, 1+len(all)>>10) { // as closeAny: the search takes long then
		return true
	}
	own.hopeless = now.Add(searchAgain)
	return false
}

// closeAny closes connections for a new one of a client, more than one if there
// are so many that the search takes long.
func (k *connections) closeAny(own *client, now time.Time) bool {
	if now.Before(k.hopeless) {
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
	k.hopeless = now.Add(searchAgain)
	return false
}

// candidates adds the client's connections that are idle, or at least not busy.
func (cl *client) candidates(to []candidate, least state) []candidate {
	for c := range cl.conns {
		if state, since := c.resting(); state >= least {
			to = append(to, candidate{c, len(cl.conns), state, since})
		}
	}
	return to
}

// close closes the first n of those that may be, and reports whether there were
// any.
func (k *connections) close(all []candidate, n int) bool {
	slices.SortFunc(all, func(a, b candidate) int {
		return cmp.Or(-cmp.Compare(a.state, b.state), -cmp.Compare(a.of, b.of), a.since.Compare(b.since))
	})
	closed := 0
	for _, c := range all {
		if closed < n && c.closeResting() {
			closed++
			k.remove(c.conn)
		}
	}
	k.counts.Closed += closed
	return closed > 0
}

// say logs what the limit did, not too often.
func (k *connections) say(now time.Time) {
	if now.Sub(k.said) < sayAgain {
		return
	}
	k.log.Warn("client connections are at their limit: idle ones are closed for new ones, and new ones when all have requests",
		"open", k.counts.Open, "limit", k.Most, "perClient", k.PerClient,
		"closed", k.counts.Closed-k.unsaid.Closed, "refused", k.counts.Refused-k.unsaid.Refused)
	k.said, k.unsaid = now, k.counts
}

// outOfDescriptors reports whether err says that there are none left.
func outOfDescriptors(err error) bool {
	return errors.Is(err, syscall.EMFILE) || errors.Is(err, syscall.ENFILE)
}

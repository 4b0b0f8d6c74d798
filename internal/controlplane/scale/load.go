// SPDX-License-Identifier: Apache-2.0

package scale

import (
	"math"
	"slices"
	"time"

	"github.com/serin-dev/serin/api/v1beta1"
)

// Load is what the routers report of a revision's requests.
type Load struct {
	// Since is the time from which all requests are known. Zero means that some
	// are unknown now.
	Since time.Time
	// Until is the time up to which they are known.
	Until time.Time
	// InFlight counts the requests that wait or are at a Pod.
	InFlight int64
	History  History
}

// History is a revision's load, second by second. The zero History is empty.
// Forget bounds its size.
type History struct {
	seconds []second // oldest first; seconds without load are left out
	last    time.Time
	since   time.Time // nothing later was forgotten
}

// maxSpan is the longest time that Add spreads load over. No window is longer.
const maxSpan = time.Hour

type second struct {
	at          int64 // Unix
	busy, begun float64
}

// Add spreads the load of a period evenly over its seconds: busy is
// request-seconds, begun is requests. Periods may overlap, as those of several
// routers do.
func (h *History) Add(from, to time.Time, busy, begun float64) {
	if busy <= 0 && begun <= 0 {
		return
	}
	from, to = from.Round(0), to.Round(0) // seconds are counted by the clock, which may jump
	if !from.Before(to) {
		from = to.Add(-time.Nanosecond)
	}
	from = later(from, to.Add(-maxSpan))
	for at := from.Unix(); at <= to.Unix(); at++ {
		if part := overlap(at, from, to) / to.Sub(from).Seconds(); part > 0 {
			s := h.second(at)
			s.busy += busy * part
			s.begun += begun * part
		}
	}
	h.last = later(h.last, to)
}

// second finds or makes a second, most often the newest.
func (h *History) second(at int64) *second {
	i := len(h.seconds)
	for i > 0 && h.seconds[i-1].at > at {
		i--
	}
	if i > 0 && h.seconds[i-1].at == at {
		return &h.seconds[i-1]
	}
	h.seconds = slices.Insert(h.seconds, i, second{at: at})
	return &h.seconds[i]
}

// Forget drops the seconds before a time.
func (h *History) Forget(before time.Time) {
	i := 0
	for i < len(h.seconds) && h.seconds[i].at < before.Unix() {
		i++
	}
	h.seconds = slices.Delete(h.seconds, 0, i)
	h.since = later(h.since, before)
}

// sum returns the load of a period.
func (h *History) sum(from, to time.Time) (busy, begun float64) {
	for i := len(h.seconds) - 1; i >= 0 && h.seconds[i].at >= from.Unix(); i-- {
		s := h.seconds[i]
		part := overlap(s.at, from, to)
		busy += s.busy * part
		begun += s.begun * part
	}
	return busy, begun
}

// overlap returns the part of a second that lies between from and to.
func overlap(at int64, from, to time.Time) float64 {
	start, end := time.Unix(at, 0), time.Unix(at+1, 0)
	return max(0, earlier(end, to).Sub(later(start, from)).Seconds())
}

// watched returns the time since which the load is known without a gap, or zero.
func (l *Load) watched() time.Time {
	if l.Since.IsZero() {
		return time.Time{}
	}
	return later(l.Since, l.History.since)
}

// needs returns how many replicas the average load of the latest window takes.
// If the load is known for less than a window, the average is over that time,
// but never over less than the panic window: the first second after a start says
// little.
func (l *Load) needs(s Settings, window time.Duration) int32 {
	length := window
	if since := l.watched(); !since.IsZero() {
		length = min(window, max(l.Until.Sub(since), s.PanicWindow))
	}
	busy, begun := l.History.sum(l.Until.Add(-length), l.Until)
	load := busy
	if s.Metric == v1beta1.ScaleRPS {
		load = begun
	}
	if load <= 0 {
		return 0
	}
	const rounding = 1e-6 // of adding up fractions
	n := math.Ceil(load/length.Seconds()/s.Target - rounding)
	if n < math.MaxInt32 { // neither infinite, nor no number
		return int32(max(n, 1))
	}
	return math.MaxInt32
}

func later(a, b time.Time) time.Time {
	if a.Before(b) {
		return b
	}
	return a
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

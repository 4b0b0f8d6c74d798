// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/serin-dev/serin/internal/setting"
)

// Limits bound how long the other side may keep a connection or a place at a
// target without using it. Zero turns one of them off. Names and values are
// those of the peers, which docs/reference/router.md compares.
type Limits struct {
	// ClientHeader is how long the head of a request may take.
	ClientHeader time.Duration
	// ClientBody is how long a body may be slower than RequestRate before its
	// request has a target.
	ClientBody time.Duration
	// RequestRate is how many bytes a second a body must have.
	RequestRate int
	// RateGrace is how long it may be slower once its request has a target and
	// has no response yet.
	RateGrace time.Duration
	// Send is how long a client may read less of a response than ResponseRate
	// bytes a second, while more is there to be read.
	Send         time.Duration
	ResponseRate int
	// StreamIdle is how long nothing may move in either direction once there is
	// a response, or in a gRPC call.
	StreamIdle time.Duration
}

// DefaultLimits are nginx' timeouts, Kestrel's rates and Envoy's idle timeout.
func DefaultLimits() Limits {
	return Limits{
		ClientHeader: time.Minute,
		ClientBody:   time.Minute,
		RequestRate:  240,
		RateGrace:    5 * time.Second,
		Send:         time.Minute,
		ResponseRate: 240,
		StreamIdle:   5 * time.Minute,
	}
}

// AddFlags adds a flag for each limit, which refuses what makes no sense.
func (l *Limits) AddFlags(add func(v *setting.Value, name, usage string)) {
	d := DefaultLimits()
	add(setting.Duration(&l.ClientHeader, d.ClientHeader, 0), "client-header-timeout", "how long a request's headers may take")
	add(setting.Duration(&l.ClientBody, d.ClientBody, 0), "client-body-timeout", "how long a request's body may be slower than its minimum rate before a Pod has the request")
	add(setting.Number(&l.RequestRate, d.RequestRate, 0, math.MaxInt32), "min-request-body-data-rate", "bytes a second that a client must send of a body; 0: any")
	add(setting.Duration(&l.RateGrace, d.RateGrace, 0), "min-request-body-data-rate-grace", "how long a body may be slower than that while a Pod has the request and did not answer")
	add(setting.Duration(&l.Send, d.Send, 0), "send-timeout", "how long a client may read a response more slowly than at its minimum rate")
	add(setting.Number(&l.ResponseRate, d.ResponseRate, 0, math.MaxInt32), "min-response-data-rate", "bytes a second that a client must read of a response; 0: any")
	add(setting.Duration(&l.StreamIdle, d.StreamIdle, 0), "stream-idle-timeout", "how long nothing may move in either direction of a response, an upgraded connection or a gRPC call; 0: for ever")
}

// grace is how long a body may be too slow: before its request has a target,
// and then.
func (l *Limits) grace(placed bool) time.Duration {
	if placed && l.RequestRate > 0 {
		return l.RateGrace
	}
	return l.ClientBody
}

// unsure is how long the first part of a large body, or of one of unknown
// length, is awaited before its request goes on with what there is: its client
// may be waiting for a response before it sends more.
func (l *Limits) unsure() time.Duration {
	if l.ClientBody > 0 {
		return min(time.Second, l.ClientBody/2)
	}
	return time.Second
}

// pace is a budget of time, a token bucket: waiting spends it, bytes earn it
// back, and there is never more of it than at first. It is told of bytes often
// enough for their time not to overflow.
type pace struct {
	rate  int           // bytes that earn a second; zero: one earns all
	grace time.Duration // the most there is; zero: no bound
	left  time.Duration
}

func newPace(rate int, grace time.Duration) pace { return pace{rate: rate, grace: grace, left: grace} }

func (p *pace) earn(n int64) {
	switch {
	case n <= 0:
	case p.rate == 0:
		p.left = p.grace
	default:
		p.left = min(p.grace, p.left+time.Duration(n)*time.Second/time.Duration(p.rate))
	}
}

// spend reports whether anything is left.
func (p *pace) spend(d time.Duration) bool {
	p.left -= d
	return p.grace == 0 || p.left > 0
}

// until returns when the budget is spent by somebody who waits from now on, or
// zero.
func (p *pace) until(now time.Time) time.Time {
	if p.grace == 0 {
		return time.Time{}
	}
	return now.Add(p.left)
}

// errSlow is a body that comes too slowly.
var errSlow = errors.New("the request's body came too slowly")

// errIdle is a stream on which nothing moves.
type errIdle time.Duration

func (e errIdle) Error() string { return fmt.Sprintf("nothing moved for %v", time.Duration(e)) }

// earlier returns the earlier of two times, where zero means never.
func earlier(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// after returns t+d, or never if d is zero.
func after(t time.Time, d time.Duration) time.Time {
	if d == 0 {
		return time.Time{}
	}
	return t.Add(d)
}

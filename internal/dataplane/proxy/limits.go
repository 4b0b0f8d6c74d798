// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/serin-dev/serin/internal/setting"
)

// Limits bound how long the other side may occupy a connection or a slot of a
// target without progress. Zero disables a limit. docs/reference/router.md
// compares the names and values with those of other proxies.
type Limits struct {
	// ClientHeader is how long the head of a request may take.
	ClientHeader time.Duration
	// ClientBody is how long a body may be slower than RequestRate before its
	// request has a target.
	ClientBody time.Duration
	// RequestRate is how many bytes a second a client must send of a body.
	RequestRate int
	// RateGrace is how long a body may be slower than RequestRate once its request
	// has a target and has no response yet.
	RateGrace time.Duration
	// Send is how long a client may read a response more slowly than ResponseRate
	// bytes a second, while there is more to read.
	Send         time.Duration
	ResponseRate int
	// StreamIdle is how long no byte may arrive in either direction after the
	// response began.
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

// AddFlags adds a flag for each limit. The flags check their bounds.
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

// grace returns how long a body may be too slow, before or after its request has
// a target.
func (l *Limits) grace(hasTarget bool) time.Duration {
	if hasTarget && l.RequestRate > 0 {
		return l.RateGrace
	}
	return l.ClientBody
}

// firstPartWait returns how long the first part of a large body, or of one of
// unknown length, is read before its request continues with the bytes so far: the
// client may be waiting for a response before it sends more.
func (l *Limits) firstPartWait() time.Duration {
	if l.ClientBody > 0 {
		return min(time.Second, l.ClientBody/2)
	}
	return time.Second
}

// pace is a token bucket of time (https://en.wikipedia.org/wiki/Token_bucket).
// Waiting spends time, bytes earn it, and there is never more than grace.
type pace struct {
	rate  int           // bytes that earn a second; zero: any byte refills the bucket
	grace time.Duration // the bucket's size; zero: unlimited
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

// spend takes d from the bucket, and reports whether any time is left.
func (p *pace) spend(d time.Duration) bool {
	p.left -= d
	return p.grace == 0 || p.left > 0
}

// until returns when a wait that begins now will have spent the bucket, or zero
// for never.
func (p *pace) until(now time.Time) time.Time {
	if p.grace == 0 {
		return time.Time{}
	}
	return now.Add(p.left)
}

// errSlow means that a body arrives too slowly.
var errSlow = errors.New("the request's body came too slowly")

// errIdle means that a stream was idle for the given time.
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

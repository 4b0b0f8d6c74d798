// SPDX-License-Identifier: Apache-2.0

package node

import "time"

// The crash back-off of Kubernetes: the first restart is immediate, the next waits 10 s, and each
// further one twice as long, up to 5 minutes. After ten minutes without a restart it begins anew.
const (
	firstBackoff   = 10 * time.Second
	maxBackoff     = 5 * time.Minute
	forgetBackoffs = 10 * time.Minute
)

// backoff counts the recent restarts of a container. The zero value has none.
type backoff struct {
	delay time.Duration
	last  time.Time // when the latest restart happened
}

// until returns the time from which a container that ended may start again.
func (b backoff) until(ended time.Time) time.Time {
	if b.forgotten(ended) {
		return ended
	}
	return ended.Add(b.delay)
}

// restarted returns the back-off after one more restart.
func (b backoff) restarted(now time.Time) backoff {
	if b.delay == 0 || b.forgotten(now) {
		return backoff{delay: firstBackoff, last: now}
	}
	return backoff{delay: min(2*b.delay, maxBackoff), last: now}
}

func (b backoff) forgotten(now time.Time) bool {
	return now.Sub(b.last) > forgetBackoffs
}

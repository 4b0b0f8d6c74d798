// SPDX-License-Identifier: Apache-2.0

package node

import "time"

// The crash back-off of Kubernetes: the first restart is immediate, the next waits 10 s, then
// twice as long each time up to 5 minutes; ten calm minutes forget everything.
const (
	firstBackoff   = 10 * time.Second
	maxBackoff     = 5 * time.Minute
	forgetBackoffs = 10 * time.Minute
)

// backoff is how often a container had to be started again lately. The zero value has not failed yet.
type backoff struct {
	delay time.Duration
	last  time.Time // when the latest restart happened
}

// until says when a container that ended may start again.
func (b backoff) until(ended time.Time) time.Time {
	if b.forgotten(ended) {
		return ended
	}
	return ended.Add(b.delay)
}

// restarted is the back-off after one more restart.
func (b backoff) restarted(now time.Time) backoff {
	if b.delay == 0 || b.forgotten(now) {
		return backoff{delay: firstBackoff, last: now}
	}
	return backoff{delay: min(2*b.delay, maxBackoff), last: now}
}

func (b backoff) forgotten(now time.Time) bool {
	return now.Sub(b.last) > forgetBackoffs
}

// SPDX-License-Identifier: Apache-2.0

package queue

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/serin-dev/serin/internal/dataplane/proxy"
)

const (
	// waitingPerSlot is how many requests may wait for each slot, as in Knative's
	// queue-proxy.
	waitingPerSlot = 10
	// minWaiting is the least number of requests that may wait.
	minWaiting = 100
)

// limit is a semaphore of slots at the model server. It grants them in the order of
// arrival.
type limit struct {
	slots      int
	maxWaiting int // requests
	timeout    time.Duration
	semaphore  *semaphore.Weighted // first in, first out
	running    atomic.Int64
	waiting    atomic.Int64
}

// newLimit returns a limit with cfg.Concurrency slots; zero means no limit.
func newLimit(cfg Config) *limit {
	return &limit{
		slots:      cfg.Concurrency,
		maxWaiting: cmp.Or(cfg.MaxPending, max(cfg.Concurrency*waitingPerSlot, minWaiting)),
		timeout:    cfg.Timeout,
		semaphore:  semaphore.NewWeighted(int64(cfg.Concurrency)),
	}
}

// acquire waits for a slot. The caller releases it.
func (l *limit) acquire(r *proxy.Request) error {
	if l.slots > 0 && !l.semaphore.TryAcquire(1) {
		if err := l.wait(r); err != nil {
			return err
		}
	}
	l.running.Add(1)
	return nil
}

func (l *limit) wait(r *proxy.Request) error {
	if l.waiting.Add(1) > int64(l.maxWaiting) {
		l.waiting.Add(-1)
		return refusal("this Pod serves %d requests at once (containerConcurrency), and %d more wait already", l.slots, l.maxWaiting)
	}
	defer l.waiting.Add(-1)
	ctx, cancel := context.WithTimeout(r.Context(), l.timeout)
	defer cancel()
	if l.semaphore.Acquire(ctx, 1) != nil {
		return refusal("this Pod serves %d requests at once (containerConcurrency), and none ended within %v", l.slots, l.timeout)
	}
	return nil
}

func refusal(format string, args ...any) *proxy.Refusal {
	return &proxy.Refusal{Status: http.StatusServiceUnavailable, Text: fmt.Sprintf(format, args...), RetryAfter: time.Second}
}

func (l *limit) release() {
	l.running.Add(-1)
	if l.slots > 0 {
		l.semaphore.Release(1)
	}
}

// busy reports whether any request runs or waits.
func (l *limit) busy() bool { return l.running.Load()+l.waiting.Load() > 0 }

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

	"github.com/serin-dev/serin/internal/proxy"
)

const (
	// queuedPerSlot is how many requests may wait for each that may run, as in
	// Knative's queue-proxy.
	queuedPerSlot = 10
	// minQueued is how many may wait at least.
	minQueued = 100
)

// limit lets a number of requests through at once, and the others in the order
// in which they came.
type limit struct {
	slots     int
	pending   int // requests that may wait
	timeout   time.Duration
	semaphore *semaphore.Weighted // first in, first out
	running   atomic.Int64
	queued    atomic.Int64
}

// newLimit returns a limit of cfg.Concurrency at once; zero means no limit.
func newLimit(cfg Config) *limit {
	return &limit{
		slots:     cfg.Concurrency,
		pending:   cmp.Or(cfg.MaxPending, max(cfg.Concurrency*queuedPerSlot, minQueued)),
		timeout:   cfg.Timeout,
		semaphore: semaphore.NewWeighted(int64(cfg.Concurrency)),
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
	if l.queued.Add(1) > int64(l.pending) {
		l.queued.Add(-1)
		return refusal("this Pod serves %d requests at once (containerConcurrency), and %d more wait already", l.slots, l.pending)
	}
	defer l.queued.Add(-1)
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
func (l *limit) busy() bool { return l.running.Load()+l.queued.Load() > 0 }

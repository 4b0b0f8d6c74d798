// SPDX-License-Identifier: Apache-2.0

package storage

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"
)

// backoff is an exponential back-off with few attempts: Kubernetes restarts an init container that
// failed, and until then the user sees why.
type backoff struct {
	attempts int
	base     time.Duration // doubled after every attempt
	stall    time.Duration // without a byte, after which an attempt has failed
}

var defaultBackoff = backoff{attempts: 5, base: 200 * time.Millisecond, stall: 30 * time.Second}

// retry calls do until it succeeds, fails permanently, or has used up its attempts. When do reports
// progress, the count begins anew.
func (f *fetcher) retry(ctx context.Context, subject string, do func() (further bool, err error)) error {
	for attempt, pause := 1, f.backoff.base; ; attempt, pause = attempt+1, 2*pause {
		further, err := do()
		if further {
			attempt, pause = 1, f.backoff.base
		}
		if again, err := f.again(ctx, subject, err, attempt); !again {
			return err
		}
		if err := wait(ctx, pause); err != nil {
			return err
		}
	}
}

// again reports whether to repeat a failed attempt, and explains its error.
func (f *fetcher) again(ctx context.Context, subject string, err error, attempt int) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	err = explain(subject, err)
	var e *Error
	if !errors.As(err, &e) || !e.transient || attempt >= f.backoff.attempts {
		return false, err
	}
	say(f.log, "%v; trying again (%d of %d)", err, attempt+1, f.backoff.attempts)
	return true, err
}

// wait waits for a random time between d/2 and d, so that many replicas do not retry at once.
func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d/2 + rand.N(d/2+1))
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

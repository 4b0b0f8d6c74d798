// SPDX-License-Identifier: Apache-2.0

// Package eventually waits in tests: for what happens soon, in no known number
// of milliseconds. It never sleeps longer than a tick, and a test that waits in
// vain says what it last saw.
package eventually

import (
	"context"
	"testing"
	"time"
)

const (
	deadline = 30 * time.Second // a busy machine may take long
	tick     = 20 * time.Millisecond
)

// Holds calls check until it is satisfied, and fails the test with what check
// last saw if that takes too long.
func Holds(t *testing.T, check func(context.Context) (saw any, ok bool)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	var saw any
	for {
		now, ok := check(ctx)
		if ok {
			return
		}
		if ctx.Err() == nil || saw == nil { // afterwards it sees the deadline only
			saw = now
		}
		select {
		case <-ctx.Done():
			t.Fatalf("did not happen within %s; last seen:\n%+v", deadline, saw)
		case <-ticker.C:
		}
	}
}

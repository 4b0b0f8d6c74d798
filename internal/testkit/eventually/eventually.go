// SPDX-License-Identifier: Apache-2.0

// Package eventually waits in tests for what happens soon, in no known number
// of milliseconds. A test that waits in vain reports what it last saw.
package eventually

import (
	"bytes"
	"context"
	"fmt"
	"sync"
	"testing"
	"time"
)

const (
	deadline = 30 * time.Second // a busy machine may take long
	tick     = 20 * time.Millisecond
)

// Holds calls check every 20 ms until it reports ok. After 30 s it fails the
// test with what check last saw.
func Holds(tb testing.TB, check func(context.Context) (saw any, ok bool)) {
	tb.Helper()
	if err := Within(tb.Context(), deadline, tick, check); err != nil {
		tb.Fatal(err)
	}
}

// Within calls check, at most once per interval, until it reports ok. After the
// limit it returns an error with what check last saw.
func Within(ctx context.Context, limit, interval time.Duration, check func(context.Context) (saw any, ok bool)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	var last any
	for {
		saw, ok := check(ctx)
		if ok {
			return nil
		}
		if ctx.Err() == nil || last == nil { // check sees only the deadline once that has passed
			last = saw
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("did not happen within %s; last seen:\n%+v", limit, last)
		case <-ticker.C:
		}
	}
}

// Buffer collects the output of other goroutines. Its zero value is empty.
type Buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends to the buffer.
func (b *Buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

// String returns what was written so far.
func (b *Buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

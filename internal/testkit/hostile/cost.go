// SPDX-License-Identifier: Apache-2.0

package hostile

import (
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

// Bounded runs f, and fails the test if f allocates more bytes, or takes more
// time, than it may. The memory is what the garbage collector counts for the
// whole process, so nothing may run in parallel.
func Bounded(t *testing.T, memory uint64, limit time.Duration, f func()) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	f()
	took := time.Since(start).Round(time.Millisecond)
	runtime.ReadMemStats(&after)
	allocated := after.TotalAlloc - before.TotalAlloc
	t.Logf("%s, %d MB allocated", took, allocated>>20)
	if took > limit || allocated > memory {
		t.Errorf("took %s and allocated %d MB, more than %s and %d MB", took, allocated>>20, limit, memory>>20)
	}
}

// Frugal fails the test if f allocates more bytes than it may, as Bounded does for f that
// are called often.
func Frugal(t *testing.T, memory uint64, f func()) {
	t.Helper()
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	before := sample[0].Value.Uint64()
	f()
	metrics.Read(sample)
	if allocated := sample[0].Value.Uint64() - before; allocated > memory {
		t.Fatalf("allocated %d MB, more than %d MB", allocated>>20, memory>>20)
	}
}
